import type { DialectName } from '../conversation/conversation.ts';
import type { JsonValue } from '../conversation/json.ts';
import { isObject, tryParseJson } from '../conversation/json.ts';
import type { CallerDialectName } from './dialect.ts';
import { readPlain } from './plain-json.ts';
import type { FieldSpans } from './request-fields.ts';

/*
 * Providers serve calls in tiers that cost otherwise than the standard one, and say in the answer in which.
 * Here a tier is a word of lower case; one that is several at once (`fast+us`) has them joined.
 */

/**
 * The words for what costs as it always does: OpenAI's and Bedrock's (`default`), Anthropic's and Google's (`standard`, for
 * regions `global` and, of models that have none, `not_available`), Groq's and Vertex's (`on_demand`). `auto` leaves it to
 * the account.
 */
export const STANDARD_WORDS = [
  ...['default', 'standard', 'auto', 'standard_only', 'on_demand', 'ON_DEMAND'],
  ...['global', 'not_available', 'unspecified', 'traffic_type_unspecified', ''],
] as const;
const STANDARD: ReadonlySet<string> = new Set(STANDARD_WORDS);

/** `TrafficType` of Vertex, in the words of the others. */
const OTHER_WORDS: ReadonlyMap<string, string> = new Map([
  ['on_demand_priority', 'priority'],
  ['on_demand_flex', 'flex'],
  ['on_demand_offpeak', 'offpeak'],
  ['provisioned_throughput', 'provisioned'],
]);

/** Gemini's enum has two spellings: `priority` and `SERVICE_TIER_PRIORITY`. */
const ENUM_PREFIX = /^service_tier_/;
const WORD = /^[a-z0-9][a-z0-9_.-]{0,39}$/;

/** The tier that a word of the wire names; `undefined` for the standard one, and where none is named. */
export function tierWord(said: JsonValue | undefined): string | undefined {
  // Nearly all calls end here.
  if (typeof said !== 'string' || STANDARD.has(said)) return undefined;
  const word = said.toLowerCase().replace(ENUM_PREFIX, '');
  if (STANDARD.has(word)) return undefined;
  return OTHER_WORDS.get(word) ?? (WORD.test(word) ? word : 'unknown');
}

/** The same for OpenAI's API, which calls one tier by two names and answers with this one (`Response.service_tier`). */
export function openaiTier(said: JsonValue | undefined): string | undefined {
  const word = tierWord(said);
  return word === 'fast' ? 'priority' : word;
}

/**
 * What callers of Anthropic's dialect ask for, in OpenAI's words. Both leave `auto` to the account. Sources: Anthropic's documentation,
 * "Service tiers"; OpenAI API reference (`service_tier`).
 */
const OPENAI_WORDS: ReadonlyMap<unknown, string> = new Map([
  ['auto', 'auto'],
  ['standard_only', 'default'],
]);

/** The word of OpenAI's API for a tier that a caller of this dialect asks for; `undefined`: it has none. */
export function askedOfOpenAi(said: JsonValue, dialect: DialectName): JsonValue | undefined {
  return dialect === 'messages' ? OPENAI_WORDS.get(said) : said;
}

/** What an answer says that it is served in: `null` is the standard tier; `undefined`: nothing, or `auto`, which leaves it to the account. */
export type ServedTier = string | null | undefined;

/**
 * In dialects of OpenAI's, which say it beside the usage, and also where they count nothing. Others say both at once, or neither.
 *
 * @param answer whole, or the head of one
 */
export function servedTier(answer: JsonValue | undefined): ServedTier {
  const said = isObject(answer) ? answer['service_tier'] : undefined;
  if (typeof said !== 'string' || said === 'auto' || said === '') return undefined;
  return openaiTier(said) ?? null;
}

/** The tier that is all of these at once. */
export function joinTiers(...words: readonly (string | undefined)[]): string | undefined {
  const named = words.filter((word) => word !== undefined);
  return named.length === 0 ? undefined : named.join('+');
}

/**
 * Where a request asks for tiers. Sources: OpenAI API reference, Anthropic API reference (of its `service_tier` the words are no
 * tiers: `auto`, `standard_only`), `google.ai.generativelanguage.v1beta.GenerateContentRequest`, whose JSON may have either spelling.
 */
const TIER_FIELDS: Record<CallerDialectName, readonly string[]> = {
  chat: ['service_tier'],
  responses: ['service_tier'],
  messages: ['service_tier', 'speed', 'inference_geo'],
  gemini: ['serviceTier', 'service_tier'],
};

/** The top-level fields that `readAskedTier` must be told the places of. */
export function tierFieldNames(dialect: CallerDialectName): readonly string[] {
  return TIER_FIELDS[dialect];
}

/** A tier that a request asks for. */
export interface AskedTier {
  tier: string;
  /** The parameter that asks for it, or the first that does. */
  param: string;
}

/** `undefined`: it asks for none, or for the standard one. */
export function readAskedTier(
  body: Buffer,
  spans: FieldSpans,
  dialect: CallerDialectName,
): AskedTier | undefined {
  const read = dialect === 'chat' || dialect === 'responses' ? openaiTier : tierWord;
  let asked: AskedTier | undefined;
  for (const param of TIER_FIELDS[dialect]) {
    const span = spans[param];
    if (!span) continue;
    const said = readPlain(body, span.start, span.end);
    const word = read(said ?? tryParseJson(body.toString('utf8', span.start, span.end)));
    if (word !== undefined)
      asked = asked ? { ...asked, tier: `${asked.tier}+${word}` } : { tier: word, param };
  }
  return asked;
}
