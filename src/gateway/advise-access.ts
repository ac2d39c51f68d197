import type { Caller } from './snapshot.ts';

/**
 * How whoever may not call a model comes to be allowed to, for the error that says so. It is the same for models that
 * there are and that there are not.
 *
 * @param model as the caller wrote it, or the pattern that it would take
 */
export function adviseAccess({ keyMayCall }: Caller, model: string): string {
  if (keyMayCall?.(model) === false) {
    return 'It is limited to models of its own: use another key of your tenant, or ask your operator to change this one.';
  }
  return `Ask for access: POST /v1/access-requests with ${JSON.stringify({ model, reason: '…' })}.`;
}
