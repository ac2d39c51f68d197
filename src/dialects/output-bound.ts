import { tryParseJson } from '../conversation/json.ts';
import type { CallerDialectName } from './dialect.ts';
import { readPlain } from './plain-json.ts';
import { type FieldSpan, type FieldSpans, readKey, skipValue, walkFields } from './request-fields.ts';

const OPEN_BRACE = 0x7b;
const DIGITS = /^\s*\d+\s*$/;

/** Where a request says how much may be generated. Which of the fields counts each server decides for itself. */
interface OutputFields {
  tokens: readonly string[];
  /** How many answers of that length. */
  answers: readonly string[];
  /** Fields whose objects may hold them. */
  within: readonly string[];
  isAtTop: boolean;
}

/**
 * Servers that speak a dialect of OpenAI's or Anthropic's may know further words for the same, beside or before its own: `n_predict` of llama.cpp's server,
 * `num_predict` within Ollama's `options`, `max_new_tokens` of those who hand fields on to Hugging Face's transformers.
 */
const SERVERS_WORDS = ['max_output_tokens', 'max_new_tokens', 'n_predict', 'num_predict'] as const;

/**
 * Sources: OpenAI API reference (chat: `max_completion_tokens`, the older `max_tokens`, `n`, of text completions `best_of`;
 * responses: `max_output_tokens`), Anthropic's (`max_tokens`), `google.ai.generativelanguage.v1beta.GenerationConfig`, whose
 * JSON may have either spelling.
 */
const OUTPUT_FIELDS: Record<CallerDialectName, OutputFields> = {
  chat: {
    tokens: ['max_completion_tokens', 'max_tokens', ...SERVERS_WORDS],
    answers: ['n', 'best_of'],
    within: ['options'],
    isAtTop: true,
  },
  responses: { tokens: ['max_tokens', ...SERVERS_WORDS], answers: [], within: ['options'], isAtTop: true },
  messages: { tokens: ['max_tokens', ...SERVERS_WORDS], answers: [], within: ['options'], isAtTop: true },
  gemini: {
    tokens: ['maxOutputTokens', 'max_output_tokens'],
    answers: ['candidateCount', 'candidate_count'],
    within: ['generationConfig', 'generation_config'],
    isAtTop: false,
  },
};

/** What no server generates, and more than the numbers of some hold. */
const MOST = 2 ** 31 - 1;

/** The most tokens that may be generated, or the field (`generationConfig.maxOutputTokens`) that sets no bound that all servers read alike. */
export type OutputBound = number | { param: string };

/** The top-level fields that `readOutputBound` must be told the places of. */
export function outputFieldNames(dialect: CallerDialectName): readonly string[] {
  const { tokens, answers, within, isAtTop } = OUTPUT_FIELDS[dialect];
  return isAtTop ? [...tokens, ...answers, ...within] : within;
}

/**
 * The most tokens that a request lets a model generate; of a request that names no limit, `unsaid` for each answer. Of
 * several limits the largest counts: a server that knows only one of them is told that one, and numbers in texts are numbers,
 * for some take them. A limit of 0 is none.
 */
export function readOutputBound(
  body: Buffer,
  spans: FieldSpans,
  dialect: CallerDialectName,
  unsaid: number,
): OutputBound {
  const found = findBounds(body, spans, dialect);
  if (found.param !== undefined) return { param: found.param };
  return (found.tokens || unsaid) * Math.max(1, found.answers);
}

/** The largest limit that a request names for each of its answers; 0 where it names none. */
export function readAskedOutput(body: Buffer, spans: FieldSpans, dialect: CallerDialectName): number {
  return findBounds(body, spans, dialect).tokens;
}

function findBounds(body: Buffer, spans: FieldSpans, dialect: CallerDialectName): Found {
  const fields = OUTPUT_FIELDS[dialect];
  const found: Found = { tokens: 0, answers: 0, param: undefined };
  for (const name of fields.within) lookWithin(body, spans[name], name, fields, found);
  if (fields.isAtTop) {
    for (const name of fields.tokens) look(body, spans[name], name, 'tokens', found);
    for (const name of fields.answers) look(body, spans[name], name, 'answers', found);
  }
  return found;
}

/** The largest so far, and the first that is no count. */
interface Found {
  tokens: number;
  answers: number;
  param: string | undefined;
}

function look(
  body: Buffer,
  span: FieldSpan | undefined,
  param: string,
  what: 'tokens' | 'answers',
  found: Found,
): void {
  if (!span) return;
  const count = readCount(body, span);
  if (count === undefined) found.param ??= param;
  else if (count > found[what]) found[what] = count;
}

/** Each field of the object, also one that stands there twice. */
function lookWithin(
  body: Buffer,
  span: FieldSpan | undefined,
  param: string,
  fields: OutputFields,
  found: Found,
): void {
  if (!span || readPlain(body, span.start, span.end) === null) return;
  if (body[span.start] !== OPEN_BRACE) {
    found.param ??= param;
    return;
  }
  const object = body.subarray(span.start, span.end);
  walkFields(object, (quote, keyEnd, start) => {
    const end = skipValue(object, start);
    const name = readKey(object, quote, keyEnd);
    if (fields.tokens.includes(name)) look(object, { start, end }, `${param}.${name}`, 'tokens', found);
    if (fields.answers.includes(name)) look(object, { start, end }, `${param}.${name}`, 'answers', found);
    return end;
  });
}

/** 0 of what says nothing; `undefined` of what is no whole number that a server could mean. */
function readCount(body: Buffer, { start, end }: FieldSpan): number | undefined {
  const value = readPlain(body, start, end) ?? tryParseJson(body.toString('utf8', start, end));
  if (value === null) return 0;
  const count = typeof value === 'string' && DIGITS.test(value) ? Number(value) : value;
  if (typeof count !== 'number' || !Number.isInteger(count)) return undefined;
  return count >= 0 && count <= MOST ? count : undefined;
}
