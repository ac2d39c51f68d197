import type { Part, ReasoningPart, ToolCallPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { emulatedName, JSON_OUTPUT_TOOL, readCustomToolName, readCustomToolText } from '../reserved-tools.ts';
import { isForeignThought } from './carried-signatures.ts';
import { type MediaPart, mediaPart, readFileData, readInlineData, writeMedia } from './media.ts';
import { defined, extraOf, overlay, ownFields, ownSignature, parseObject, readMessage } from './proto.ts';
import { isGivenToolCallId } from './tool-call-ids.ts';
import { legalFunctionName } from './tool-names.ts';

/**
 * A `Part` of the Gemini API (its fields under their JSON names) as a neutral part. What the neutral model has no
 * word for (server-side tool calls, executed code, pictures that are thoughts, …) becomes an opaque part, verbatim.
 *
 * Never throws: a request decoder has checked before what must be there, an answer is taken as it comes.
 * `makeCallId` gives a function call without an id its own.
 */
export function decodePart(wire: JsonObject, makeCallId: (call: JsonObject) => string): Part {
  const { text, thought, thoughtSignature, functionCall, inlineData, fileData, ...rest } = wire;
  const signature =
    typeof thoughtSignature === 'string'
      ? { dialect: 'gemini' as const, value: thoughtSignature }
      : undefined;
  const kinds = [text, functionCall, inlineData, fileData].filter((kind) => kind !== undefined).length;
  // A part is a union: with two kinds at once, or none, there is no telling what it says.
  if (kinds === 1) {
    if (typeof text === 'string') {
      const type = thought === true ? 'reasoning' : 'text';
      return defined({ type, text, signature, extra: extraOf(rest) });
    }
    if (isObject(functionCall)) {
      const { id, name, args, ...more } = readMessage(functionCall);
      if (name === JSON_OUTPUT_TOOL) return { type: 'text', text: JSON.stringify(args ?? {}) };
      const fields = thought === true ? { ...rest, thought } : rest;
      const extra = extraOf(Object.keys(more).length > 0 ? { ...fields, functionCall: more } : fields);
      const said = typeof name === 'string' ? name : '';
      const custom = readCustomToolName(said);
      return defined<ToolCallPart>({
        type: 'tool_call',
        id: typeof id === 'string' && id !== '' ? id : makeCallId(functionCall),
        name: custom ?? said,
        kind: custom === undefined ? 'function' : 'custom',
        arguments: custom === undefined ? JSON.stringify(args ?? {}) : readCustomToolText(args ?? {}),
        signature,
        extra,
      });
    }
    const media = thought === true ? undefined : decodeMedia(inlineData, fileData);
    if (media) return withRest(media, rest, thoughtSignature);
  }
  return { type: 'opaque', dialect: 'gemini', value: wire };
}

/** A media part and what its message says beyond type and place (`displayName`, …). */
function decodeMedia(
  inlineData: unknown,
  fileData: unknown,
): { part: MediaPart; field: string; more: JsonObject } | undefined {
  const field = isObject(inlineData) ? 'inlineData' : 'fileData';
  const value = isObject(inlineData) ? inlineData : fileData;
  if (!isObject(value)) return undefined;
  const { mimeType, data, fileUri, ...more } = readMessage(value);
  const source =
    field === 'inlineData' ? readInlineData({ mimeType, data }) : readFileData({ mimeType, fileUri });
  return source && { part: mediaPart(source), field, more };
}

function withRest(
  { part, field, more }: { part: MediaPart; field: string; more: JsonObject },
  rest: JsonObject,
  thoughtSignature: unknown,
): Part {
  const fields = Object.keys(more).length > 0 ? { ...rest, [field]: more } : rest;
  if (typeof thoughtSignature !== 'string') return defined({ ...part, extra: extraOf(fields) });
  if (part.type === 'image') {
    const signature = { dialect: 'gemini' as const, value: thoughtSignature };
    return defined({ ...part, signature, extra: extraOf(fields) });
  }
  return { ...part, extra: { dialect: 'gemini', fields: { ...fields, thoughtSignature } } };
}

export interface PartEncoding {
  /** Whether function calls carry their ids. */
  callIds: boolean;
  /** Whether reasoning without a Gemini signature is written too. */
  unsignedReasoning: boolean;
  /** Whether names of functions are brought into the form that the API demands. */
  legalNames?: boolean;
  /** Whether media at an address may go without their type. */
  untypedMedia?: boolean;
  /** Where the part stands in the caller's request: for refusals. */
  path: string;
}

/**
 * A neutral part as a `Part` of the Gemini API, or `undefined` where it has nothing to say there: reasoning and
 * opaque blocks of other providers. Tool results are not written here: they need their call (`contents-encode.ts`).
 */
export function encodePart(
  part: Part,
  { callIds, unsignedReasoning, legalNames = false, untypedMedia, path }: PartEncoding,
): JsonObject | undefined {
  const signed = { thoughtSignature: 'signature' in part ? ownSignature(part.signature) : undefined };
  switch (part.type) {
    case 'text':
      return overlay(defined({ text: part.text, ...signed }), ownFields(part.extra));
    case 'refusal':
      return { text: part.text };
    case 'reasoning':
      if (isForeignThought(part)) return undefined;
      if (!unsignedReasoning && signed.thoughtSignature === undefined) return undefined;
      return thoughtPart(defined({ text: part.text, thought: true, ...signed }), part);
    case 'tool_call':
      return overlay(
        defined({ functionCall: encodeCall(part, callIds, legalNames), ...signed }),
        ownFields(part.extra),
      );
    case 'image':
    case 'audio':
    case 'file':
      return overlay(
        defined({ ...writeMedia(part.source, path, untypedMedia), ...signed }),
        ownFields(part.extra),
      );
    case 'opaque':
      return part.dialect === 'gemini' ? part.value : undefined;
    case 'tool_result':
      throw new TypeError('a tool result is not written as a part of its own');
    default:
      return part satisfies never;
  }
}

/** What else was said of a thought never says what it is. */
function thoughtPart(thought: JsonObject, { extra }: ReasoningPart): JsonObject {
  return { ...thought, ...ownFields(extra), ...thought };
}

function encodeCall(call: ToolCallPart, callIds: boolean, legalNames: boolean): JsonObject {
  const id = callIds && isGivenToolCallId(call.id) ? call.id : undefined;
  const name = legalNames ? legalFunctionName(emulatedName(call)) : emulatedName(call);
  return defined({ id, name, args: encodeArguments(call) });
}

/** `args` must be an object. Models do write other things: those are handed on as text rather than refused. */
function encodeArguments({ kind, arguments: text }: ToolCallPart): JsonObject {
  if (kind === 'custom') return { input: text };
  if (text.trim() === '') return {};
  return parseObject(text) ?? { arguments: text };
}
