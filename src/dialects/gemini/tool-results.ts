import { appendAll } from '../../conversation/append-all.ts';
import type { OpaquePart, ToolResultPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { placed } from '../places.ts';
import { mediaPart, readFileData, readInlineData, writeMedia } from './media.ts';
import { defined, extraOf, messageIn, messagesIn, parseObject, readMessage } from './proto.ts';

/** What `functionResponse.parts` takes (Gemini API docs, "Multimodal function responses"): inline, of these types. */
const MEDIA_IN_RESULTS = new Set(['image/png', 'image/jpeg', 'image/webp', 'application/pdf', 'text/plain']);

/** What a result says that is nothing but media which stand elsewhere. */
const MEDIA_FOLLOW = 'What this tool returned follows behind the results.';

export interface EncodedToolResult {
  functionResponse: JsonObject;
  /** Media that the model does not take inside a result: parts to stand after all of them, with a word about where they are from. */
  beside: JsonObject[];
}

export interface ToolResultEncoding {
  id: string | undefined;
  name: string;
  /** `caller`: the caller spoke Gemini and knows what its endpoint takes there. */
  mediaInside: boolean | 'caller';
  /** Where one of the result's parts stands in the caller's request. */
  pathOf: (part: number) => string;
}

/** A tool's result as a `functionResponse`, without what only this dialect says of it, whose `response` must be an object. */
export function encodeToolResult(
  result: ToolResultPart,
  { id, name, mediaInside, pathOf }: ToolResultEncoding,
): EncodedToolResult {
  const texts: string[] = [];
  const inside: JsonObject[] = [];
  const beside: JsonObject[] = [];
  for (const [index, part] of result.parts.entries()) {
    if (part.type === 'text') texts.push(part.text);
    else if (part.type === 'opaque') appendAll(inside, ownBlock(part));
    else {
      const media = writeMedia(part.source, pathOf(index));
      const type = part.source.kind === 'data' ? part.source.mediaType : '';
      const fits = mediaInside === 'caller' || (mediaInside && MEDIA_IN_RESULTS.has(type));
      (fits ? inside : beside).push(media);
    }
  }
  if (texts.length === 0 && beside.length > 0) texts.push(MEDIA_FOLLOW);
  const functionResponse = defined({
    id,
    name,
    response: encodeResponse(texts.join('\n'), result.isError === true),
    parts: inside.length > 0 ? inside : undefined,
  });
  return { functionResponse, beside };
}

function ownBlock({ dialect, value }: OpaquePart): JsonObject[] {
  return dialect === 'gemini' ? [value] : [];
}

/**
 * `output` and `error` are the API's own keys; an object without them is the output as a whole. A `$ref` inside an
 * object would be read as a reference to one of the result's media parts and refused, so that one stays text.
 */
function encodeResponse(text: string, isError: boolean): JsonObject {
  const parsed = parseObject(text);
  const object = parsed && !mentionsRef(parsed) ? parsed : undefined;
  if (isError) return { error: object ?? text };
  return object ?? { output: text };
}

function mentionsRef(value: JsonValue | undefined): boolean {
  if (Array.isArray(value)) return value.some(mentionsRef);
  if (!isObject(value)) return false;
  return Object.entries(value).some(([key, inner]) => key === '$ref' || mentionsRef(inner));
}

/**
 * The inverse, but for the id of the call, which is the caller's to know; `path` is where the response stands, `beside` what the part
 * says beside it.
 */
export function decodeToolResult(
  functionResponse: JsonObject,
  callId: string,
  path: string,
  beside: JsonObject = {},
): ToolResultPart {
  const { id: _, name, response, parts: _parts, ...rest } = functionResponse;
  const { text, isError } = decodeResponse(isObject(response) ? response : {});
  const media = messagesIn(functionResponse, 'parts').map((part, at) =>
    placed(decodeMediaPart(part), `${path}.parts[${at}]`),
  );
  return defined({
    type: 'tool_result' as const,
    callId,
    name: typeof name === 'string' ? name : undefined,
    parts: text === '' && media.length > 0 ? media : [{ type: 'text' as const, text }, ...media],
    isError: isError ? true : undefined,
    extra: extraOf(Object.keys(rest).length > 0 ? { ...beside, functionResponse: rest } : beside),
  });
}

/** Text that `encodeResponse` makes the same object of again. */
function decodeResponse(response: JsonObject): { text: string; isError: boolean } {
  const [[key, value] = [], ...others] = Object.entries(response);
  if (others.length === 0 && key === 'error') {
    if (isPlainText(value)) return { text: value, isError: true };
    if (isObject(value) && !mentionsRef(value)) return { text: JSON.stringify(value), isError: true };
  }
  if (others.length === 0 && key === 'output' && isPlainText(value)) return { text: value, isError: false };
  return { text: JSON.stringify(response), isError: false };
}

function isPlainText(value: JsonValue | undefined): value is string {
  if (typeof value !== 'string') return false;
  const parsed = parseObject(value);
  return !parsed || mentionsRef(parsed);
}

function decodeMediaPart(part: JsonObject): ToolResultPart['parts'][number] {
  const inlineData = messageIn(part, 'inlineData');
  const fileData = messageIn(part, 'fileData');
  const source = inlineData ? readInlineData(inlineData) : fileData && readFileData(readMessage(fileData));
  const media = source && mediaPart(source);
  const plain = Object.keys(part).length === 1 && Object.keys(inlineData ?? fileData ?? {}).length === 2;
  // A sound in a result has no neutral part.
  return media && media.type !== 'audio' && plain
    ? media
    : { type: 'opaque', dialect: 'gemini', value: part };
}
