import type { UpstreamFailure } from '../dialects/dialect.ts';
import type { Target } from '../routing/target.ts';
import type { Call } from './call.ts';
import { namesHeld } from './check-held.ts';

/** The code of what `upstream-failure.ts` makes of a model that is not there. */
export const MODEL_MISSING = 'upstream_model_missing';

/** The same of one that is known to have been there. */
export const MODEL_RETIRED = 'upstream_model_retired';

export type ModelGone = typeof MODEL_MISSING | typeof MODEL_RETIRED;

export function isModelGone(code: string | undefined): code is ModelGone {
  return code === MODEL_MISSING || code === MODEL_RETIRED;
}

/**
 * Codes that say so under any status. Sources: OpenAI ("Error codes" guide; its Responses API answers 400), Groq ("Error codes",
 * deprecations), Azure OpenAI (`DeploymentNotFound`), Together ("Error codes").
 */
const MODEL_CODES: ReadonlySet<string | undefined> = new Set([
  'model_not_found',
  'model_decommissioned',
  'model_not_available',
  'DeploymentNotFound',
]);

/**
 * What some say under 400 instead. Sources: Mistral (tmc/langchaingo#1233), Perplexity, xAI, DeepSeek and Z.AI (`1211`) in their errors'
 * whole words; Amazon Bedrock (`ValidationException`); OpenRouter.
 */
const MODEL_WORDS =
  /^Invalid model: \S|^Invalid model '[^']*'\. Permitted models|^Model not found: \S|^Model Not Exist$|^Unknown Model, please check|^The provided model identifier is invalid\.?$|^\S+ is not a valid model ID$/;

/** NVIDIA says 410 of a model that was there once. */
const NOT_THERE: ReadonlySet<number | undefined> = new Set([404, 410]);

const SPEAKS_OF_MODEL = /\b(?:models?|deployment)\b/i;

/**
 * What providers say of models that were there: OpenAI ("has been deprecated"), Groq, Google ("is no longer available"), Amazon Bedrock and
 * NVIDIA ("end of its life", "marked by provider as Legacy"), Cohere ("was removed on").
 */
const SAYS_RETIRED =
  /\b(?:has been|was|been|is) (?:deprecated|decommissioned|retired|removed|shut ?down|discontinued)\b|\bno longer (?:available|supported|served)\b|\bend of (?:its )?life\b|\bmarked by provider as Legacy\b/i;

/** A limit of nothing: no wait makes it more. Google says so of models that it has taken away. */
const LIMIT_OF_NOTHING = /\bQuota exceeded for metric: \S+, limit: 0\b(?!\.)/;

/**
 * Whether a refusal is about a model that the configuration leads to and its provider does not have (any more): nothing that the
 * caller could mend, and another target may do better. A model that a caller names at its provider itself (`provider/model`) is the
 * caller's. So is what else a request can name by its id; where it names nothing, only the model can be missing.
 */
export function findModelGone(
  call: Call,
  target: Target,
  status: number | undefined,
  failure: UpstreamFailure,
  nowMs: number,
): ModelGone | undefined {
  if (call.model === undefined || !call.snapshot.routes.isConfigured(call.model)) return undefined;
  const isPast = isPastRetirement(target, nowMs);
  if (!isMissing(call, status, failure) && !(isPast && hidesRetirement(status, failure))) return undefined;
  return isPast || SAYS_RETIRED.test(failure.message) ? MODEL_RETIRED : MODEL_MISSING;
}

/** Whether a refusal speaks of a limit where the model is what there is none of. */
export function hidesRetirement(status: number | undefined, { message }: UpstreamFailure): boolean {
  return (status === 429 || status === undefined) && LIMIT_OF_NOTHING.test(message);
}

export function isPastRetirement({ retirement }: Target, nowMs: number): boolean {
  return retirement !== undefined && retirement.atMs <= nowMs;
}

function isMissing(
  call: Call,
  status: number | undefined,
  { code, param, message, details }: UpstreamFailure,
): boolean {
  const isSaid = MODEL_CODES.has(code) || (status === 400 && MODEL_WORDS.test(message));
  if (!isSaid && !NOT_THERE.has(status)) return false;
  // Anthropic says what else is not there by a code in the details.
  if (!isSaid && details?.['error_code'] !== undefined) return false;
  if (isSaid || !namesHeld(call)) return true;
  return (param === undefined || param === 'model') && SPEAKS_OF_MODEL.test(message);
}
