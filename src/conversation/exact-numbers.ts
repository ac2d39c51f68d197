import { isObject, type JsonObject, type JsonValue, tryParseJson } from './json.ts';

/*
 * A tool's arguments are a model's words to a tool, which may tell `1.0` from `1` and has ids of 19 digits; as numbers of
 * JavaScript's they would come out changed. Where such numbers stand, they are kept as the text that they were: an object
 * that `JSON.stringify` writes as that text (`JSON.rawJSON`). Nothing else may ask for its value, so this is for what is
 * only handed on.
 */

/** The parts of JSON that TypeScript's library does not have yet (Node 22, ECMAScript "JSON.parse source text access"). */
interface SourceTextJson {
  rawJSON(text: string): JsonObject;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
}
const sourceText = JSON as unknown as SourceTextJson;

/** What `JSON.stringify` writes as this text. */
export function rawJson(text: string): JsonObject {
  return sourceText.rawJSON(text);
}

/**
 * Parses JSON text; each number becomes what `read` gives for it, by its value and the text that it stood as.
 *
 * @throws SyntaxError for what is no JSON, RangeError for what is nested too deep.
 */
export function parseWithSource(text: string, read: (value: number, source: string) => JsonValue): JsonValue {
  return sourceText.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? read(value, source) : value,
  ) as JsonValue;
}

/** A number that may not be written as it was read: long, with zeros behind its point, with an exponent, or `-0`. */
const INEXACT = /(?:^|[:,[\s])(?:-?[\d.]{16}|-?\d+\.\d*0(?!\d)|-?\d+(?:\.\d+)?[eE][-+]?\d|-0(?![.\d]))/;

/** The value of JSON text in which every number is written again as it stood; `undefined` where the text is no JSON. */
export function parseExactly(text: string): JsonValue | undefined {
  return INEXACT.test(text) ? parseSlowly(text) : tryParseJson(text);
}

/** Where arguments stand as objects: Anthropic and Bedrock (`input`), Gemini (`args`, and `response` of a tool). */
const ARGUMENT_FIELDS: readonly string[] = ['input', 'args', 'response'];
const ARGUMENT_WORDS = ARGUMENT_FIELDS.map((field) => `"${field}"`);

/** The value of a message's JSON text, of which only tools' arguments are kept exactly; `undefined` where it is no JSON. */
export function parseKeepingArguments(text: string): JsonValue | undefined {
  const value = tryParseJson(text);
  if (value === undefined || !ARGUMENT_WORDS.some((word) => text.includes(word)) || !INEXACT.test(text)) {
    return value;
  }
  const exact = parseSlowly(text);
  if (exact !== undefined) takeArguments(value, exact);
  return value;
}

/**
 * Whether no other whole number becomes this one. Others stay text even where their digits come out right: what stood as
 * text within a request is not to be taken for a long number of the request's own (`long-numbers.ts`).
 */
export function isTold(value: number): boolean {
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

function parseSlowly(text: string): JsonValue | undefined {
  try {
    return parseWithSource(text, (value, source) =>
      JSON.stringify(value) === source && isTold(value) ? value : rawJson(source),
    );
  } catch {
    // No JSON, or nested deeper than anything that a model means.
    return undefined;
  }
}

/** `exact`: the same document. */
function takeArguments(value: JsonValue, exact: JsonValue | undefined): void {
  if (Array.isArray(value)) {
    if (!Array.isArray(exact)) return;
    for (const [index, item] of value.entries()) takeArguments(item, exact[index]);
    return;
  }
  if (!isObject(value) || !isObject(exact)) return;
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    if (isObject(inner) && ARGUMENT_FIELDS.includes(key)) value[key] = exact[key];
    else takeArguments(inner, exact[key]);
  }
}
