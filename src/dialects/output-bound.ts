import { isObject, tryParseJson } from '../conversation/json.ts';
import type { CallerDialectName } from './dialect.ts';
import { readPlain } from './plain-json.ts';
import type { FieldSpans } from './request-fields.ts';

/** Where a request says how much may be generated: the first of the fields that is there counts. */
interface OutputFields {
  tokens: readonly string[];
  /** How many answers of that length. */
  answers: readonly string[];
  /** The field (in both its spellings) that they are in, where they are not at the top. */
  within?: readonly string[];
}

/**
 * Sources: OpenAI API reference (chat: `max_completion_tokens`, the older `max_tokens`, `n`; responses: `max_output_tokens`),
 * Anthropic's (`max_tokens`), `google.ai.generativelanguage.v1beta.GenerationConfig`, whose JSON may have either spelling.
 */
const OUTPUT_FIELDS: Record<CallerDialectName, OutputFields> = {
  chat: { tokens: ['max_completion_tokens', 'max_tokens'], answers: ['n'] },
  responses: { tokens: ['max_output_tokens'], answers: [] },
  messages: { tokens: ['max_tokens'], answers: [] },
  gemini: {
    tokens: ['maxOutputTokens', 'max_output_tokens'],
    answers: ['candidateCount', 'candidate_count'],
    within: ['generationConfig', 'generation_config'],
  },
};

/** The top-level fields that `readOutputBound` must be told the places of. */
export function outputFieldNames(dialect: CallerDialectName): readonly string[] {
  const { tokens, answers, within } = OUTPUT_FIELDS[dialect];
  return within ?? [...tokens, ...answers];
}

/** The most tokens that a request lets a model generate; of a request that names no limit, `unsaid` for each answer. */
export function readOutputBound(
  body: Buffer,
  spans: FieldSpans,
  dialect: CallerDialectName,
  unsaid: number,
): number {
  const { tokens, answers, within } = OUTPUT_FIELDS[dialect];
  const read = within ? readNested(body, spans, within) : (name: string) => readValue(body, spans, name);
  return (firstCount(read, tokens) ?? unsaid) * Math.max(1, firstCount(read, answers) ?? 1);
}

type Read = (name: string) => unknown;

function firstCount(read: Read, names: readonly string[]): number | undefined {
  for (const name of names) {
    const value = read(name);
    // Anything else is for whoever decodes the request to refuse.
    if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return Math.ceil(value);
  }
  return undefined;
}

function readNested(body: Buffer, spans: FieldSpans, names: readonly string[]): Read {
  for (const name of names) {
    const value = readValue(body, spans, name);
    if (isObject(value)) return (field) => value[field];
  }
  return () => undefined;
}

function readValue(body: Buffer, spans: FieldSpans, name: string): unknown {
  const span = spans[name];
  if (!span) return undefined;
  const { start, end } = span;
  return readPlain(body, start, end) ?? tryParseJson(body.toString('utf8', start, end));
}
