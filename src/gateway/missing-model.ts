import type { UpstreamFailure } from '../dialects/dialect.ts';
import type { Call } from './call.ts';
import { namesHeld } from './check-held.ts';

/** The code of what `upstream-failure.ts` makes of a model that is not there. */
export const MODEL_MISSING = 'upstream_model_missing';

/**
 * Codes that say so under any status. Sources: OpenAI ("Error codes" guide; its Responses API answers 400), Groq ("Error codes",
 * deprecations), Azure OpenAI (`DeploymentNotFound`).
 */
const MODEL_CODES: ReadonlySet<string | undefined> = new Set([
  'model_not_found',
  'model_decommissioned',
  'DeploymentNotFound',
]);

/** NVIDIA says 410 of a model that was there once. */
const NOT_THERE: ReadonlySet<number | undefined> = new Set([404, 410]);

const SPEAKS_OF_MODEL = /\b(?:models?|deployment)\b/i;

/**
 * Whether a refusal is about a model that the configuration leads to and its provider does not have (any more): nothing that the
 * caller could mend, and another target may do better. A model that a caller names at its provider itself (`provider/model`) is the
 * caller's. So is what else a request can name by its id; where it names nothing, only the model can be missing.
 */
export function isModelMissing(
  call: Call,
  status: number | undefined,
  { code, param, message, details }: UpstreamFailure,
): boolean {
  const isSaid = MODEL_CODES.has(code);
  if (!isSaid && !NOT_THERE.has(status)) return false;
  if (call.model === undefined || !call.snapshot.routes.isConfigured(call.model)) return false;
  // Anthropic says what else is not there by a code in the details.
  if (!isSaid && details?.['error_code'] !== undefined) return false;
  if (isSaid || !namesHeld(call)) return true;
  return (param === undefined || param === 'model') && SPEAKS_OF_MODEL.test(message);
}
