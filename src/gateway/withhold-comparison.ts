import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { parseField } from '../dialects/request-fields.ts';
import type { Call } from './call.ts';
import type { PlannedAttempt } from './plan.ts';

/** How what is withheld is named to the caller. */
export const COMPARED_PATH = 'diagnostics.previous_message_id';

/**
 * What is sent in place of a call's `diagnostics` to an account that did not answer its tenant by the id in it: the request would be compared
 * with another tenant's, or with none. It asks for advice alone, and the answer is the same without; so it is no reason to refuse the call, nor
 * to keep it at one account.
 *
 * Source: Anthropic API reference (`diagnostics.previous_message_id`: "Pass `null` on the first turn to opt in").
 *
 * @returns `undefined` where the call may go out as it is.
 */
export function withholdComparison(
  { body, spans, comparable }: Call,
  { target, account }: PlannedAttempt,
): { diagnostics: JsonObject } | undefined {
  const { diagnostics: span } = spans;
  if (span === undefined) return undefined;
  if (comparable?.provider === target.upstream.name && comparable.account === account.name) return undefined;
  const diagnostics = parseField(body, span, 'diagnostics') as JsonValue;
  if (!isObject(diagnostics) || (diagnostics['previous_message_id'] ?? null) === null) return undefined;
  return { diagnostics: { ...diagnostics, previous_message_id: null } };
}
