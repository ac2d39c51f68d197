import { promptNamed } from '../config/prompt-prefix.ts';
import type { Caller } from './snapshot.ts';

/** Whether a caller may use what a call names as its model: a model, or a prompt (`prompt/NAME`). */
export function mayUse(caller: Caller, model: string): boolean {
  const prompt = promptNamed(model);
  return prompt === undefined ? caller.mayCall(model) : caller.mayPrompt(prompt);
}

/** Whether no approval would help: the key, or the token, is limited to some of what its tenant may use. */
export function isKeyLimited(
  { keyMayCall, keyMayPrompt }: Pick<Caller, 'keyMayCall' | 'keyMayPrompt'>,
  model: string,
): boolean {
  const prompt = promptNamed(model);
  return (prompt === undefined ? keyMayCall?.(model) : keyMayPrompt?.(prompt)) === false;
}

/**
 * How whoever may not use a model or a prompt comes to be allowed to, for the error that says so. It is the same for those that
 * there are and that there are not.
 *
 * @param model as the caller wrote it, or the pattern that it would take; `prompt/NAME`
 */
export function adviseAccess(caller: Pick<Caller, 'keyMayCall' | 'keyMayPrompt'>, model: string): string {
  if (isKeyLimited(caller, model)) {
    const own = promptNamed(model) === undefined ? 'models' : 'prompts';
    return `It is limited to ${own} of its own: use another key of your tenant, or ask your operator to change this one.`;
  }
  return `Ask for access: POST /v1/access-requests with ${JSON.stringify({ model, reason: '…' })}.`;
}
