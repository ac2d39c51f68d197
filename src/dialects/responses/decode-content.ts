import type {
  AudioPart,
  FilePart,
  ImagePart,
  MediaSource,
  OpaquePart,
  RefusalPart,
  TextPart,
} from '../../conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { decodeAudio, decodeRefusal, decodeText, urlSource } from '../chat/content-parts.ts';
import { isDataUrl } from '../data-url.ts';
import { placed } from '../places.ts';
import { expectKind, optionalField, pathOf, requireField, unknownWord, wrongKind } from '../read-json.ts';
import { unknownPart } from '../unknown-parts.ts';
import { decodeAnnotations } from './annotations.ts';
import { extraOf, responsesExtra } from './extra.ts';

/**
 * Reads the content of request items: messages and what tools returned.
 *
 * Source: OpenAI API reference (`ResponseInputContent`, `ResponseOutputText`, `ResponseOutputRefusal`).
 */
export type ContentPart = TextPart | ImagePart | AudioPart | FilePart | RefusalPart | OpaquePart;

interface PartDecoder {
  decode(part: JsonObject, at: string): Exclude<ContentPart, OpaquePart>;
  known: ReadonlySet<string>;
}

const TEXT: PartDecoder = { decode: decodeText, known: new Set(['type', 'text']) };
const IMAGE: PartDecoder = {
  decode: decodeImage,
  known: new Set(['type', 'image_url', 'file_id', 'detail']),
};
const FILE: PartDecoder = {
  decode: decodeFile,
  known: new Set(['type', 'file_id', 'file_data', 'file_url', 'filename']),
};

const INPUT: [string, PartDecoder][] = [
  ['input_text', TEXT],
  ['input_image', IMAGE],
  ['input_file', FILE],
];

/** Which kinds may stand where. Histories of other clients name an assistant's words `input_text` too. */
const DECODERS = {
  message: new Map<string, PartDecoder>([
    ...INPUT,
    ['input_audio', { decode: decodeAudio, known: new Set(['type', 'input_audio']) }],
    ['output_text', { decode: decodeOutputText, known: new Set(['type', 'text', 'annotations']) }],
  ]),
  assistant: new Map<string, PartDecoder>([
    [
      'output_text',
      { decode: decodeOutputText, known: new Set(['type', 'text', 'annotations', 'logprobs']) },
    ],
    ['refusal', { decode: decodeRefusal, known: new Set(['type', 'refusal']) }],
    ['input_text', TEXT],
  ]),
  result: new Map<string, PartDecoder>(INPUT),
} satisfies Record<string, Map<string, PartDecoder>>;

export type ContentOwner = keyof typeof DECODERS;

/** Content as a string or an array of parts. */
export function decodeContent(
  content: JsonValue | undefined,
  owner: ContentOwner,
  at: string,
): ContentPart[] {
  if (typeof content === 'string') return [placed({ type: 'text' as const, text: content }, at)];
  if (!Array.isArray(content)) throw wrongKind(content, 'a string or an array of content parts', at);
  return content.map((item, index) => decodePart(item, DECODERS[owner], pathOf(at, index)));
}

function decodePart(item: JsonValue, decoders: ReadonlyMap<string, PartDecoder>, at: string): ContentPart {
  const value = expectKind(item, 'object', at);
  const type = requireField(value, 'type', 'string', at);
  const decoder = decoders.get(type);
  if (!decoder) {
    const refusal = unknownWord(type, decoders.keys(), pathOf(at, 'type'));
    return placed(unknownPart('responses', value, refusal), at);
  }
  const part = decoder.decode(value, at);
  // "The prompt up to here may be cached"; the field itself stays among the part's own.
  if (optionalField(value, 'prompt_cache_breakpoint', 'object', at)) part.cacheHint = {};
  const rest = extraOf(value, decoder.known);
  if (rest) part.extra = { ...rest, fields: { ...rest.fields, ...part.extra?.fields } };
  return placed(part, at);
}

function decodeOutputText(part: JsonObject, at: string): TextPart {
  const text = decodeText(part, at);
  const { citations, annotations } = decodeAnnotations(optionalField(part, 'annotations', 'array', at));
  const extra = responsesExtra(annotations ? { annotations } : {});
  if (citations) text.citations = citations;
  if (extra) text.extra = extra;
  return text;
}

function decodeImage(part: JsonObject, at: string): ImagePart {
  const fileId = optionalField(part, 'file_id', 'string', at);
  const source: MediaSource =
    fileId === undefined
      ? urlSource(requireField(part, 'image_url', 'string', at), pathOf(at, 'image_url'))
      : { kind: 'fileId', fileId, dialect: 'responses' };
  const detail = optionalField(part, 'detail', 'string', at);
  return detail === undefined ? { type: 'image', source } : { type: 'image', source, detail };
}

function decodeFile(part: JsonObject, at: string): FilePart {
  const filename = optionalField(part, 'filename', 'string', at);
  const file: FilePart = { type: 'file', source: fileSource(part, at) };
  if (filename !== undefined) file.filename = filename;
  return file;
}

function fileSource(part: JsonObject, at: string): MediaSource {
  const fileId = optionalField(part, 'file_id', 'string', at);
  if (fileId !== undefined) return { kind: 'fileId', fileId, dialect: 'responses' };
  const url = optionalField(part, 'file_url', 'string', at);
  if (url !== undefined) return urlSource(url, pathOf(at, 'file_url'));
  const data = requireField(part, 'file_data', 'string', at);
  // Some clients leave the base64 bare. Most files that models take are PDFs.
  if (!isDataUrl(data)) return { kind: 'data', mediaType: 'application/pdf', base64: data };
  return urlSource(data, pathOf(at, 'file_data'));
}
