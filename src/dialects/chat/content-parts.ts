import type {
  AudioPart,
  FilePart,
  ImagePart,
  MediaSource,
  OpaquePart,
  ReasoningPart,
  RefusalPart,
  TextPart,
} from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { isDataUrl, parseDataUrl } from '../data-url.ts';
import { placed } from '../places.ts';
import {
  expectKind,
  omitKeys,
  optionalField,
  pathOf,
  requireField,
  unknownWord,
  wrongKind,
} from '../read-json.ts';
import { unknownPart } from '../unknown-parts.ts';
import { decodeCacheHint } from './cache-hints.ts';
import { chatExtra } from './extra.ts';

/**
 * Reads the content parts of request messages. Besides OpenAI's own kinds it knows those that its kin have
 * for things that the neutral model knows too: OpenRouter and vLLM `video_url`, Mistral `document_url` and
 * `thinking`. Such a part keeps its wire type in `extra`, so that it is written back as it came.
 *
 * Source: OpenAI API reference (create chat completion); Mistral API reference (chat completion); OpenRouter,
 * "Multimodal".
 */
export type ContentPart =
  | TextPart
  | ImagePart
  | AudioPart
  | FilePart
  | RefusalPart
  | ReasoningPart
  | OpaquePart;

type PartDecoder = (part: JsonObject, at: string) => Exclude<ContentPart, OpaquePart>;

const TEXT: [string, PartDecoder] = ['text', decodeText];
const IMAGE: [string, PartDecoder] = ['image_url', decodeImage];
const FILE: [string, PartDecoder] = ['file', decodeFile];
const DOCUMENT: [string, PartDecoder] = ['document_url', decodeLinkedFile('document_url')];

/** Which kinds may stand in whose content. */
const DECODERS = {
  instructions: new Map([TEXT]),
  user: new Map([
    TEXT,
    IMAGE,
    ['input_audio', decodeAudio],
    FILE,
    DOCUMENT,
    ['video_url', decodeLinkedFile('video_url')],
  ]),
  assistant: new Map<string, PartDecoder>([
    TEXT,
    ['refusal', decodeRefusal],
    ['thinking', decodeThinking],
    IMAGE,
  ]),
  /** OpenAI takes text only; other clients and servers know images and files here. */
  tool: new Map([TEXT, IMAGE, FILE, DOCUMENT]),
} satisfies Record<string, Map<string, PartDecoder>>;

export type ContentOwner = keyof typeof DECODERS;

/** Message content as a string or an array of parts; null and absence give no part. */
export function decodeContent(
  content: JsonValue | undefined,
  owner: ContentOwner,
  at: string,
): ContentPart[] {
  if (content === undefined || content === null) return [];
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw wrongKind(content, 'a string or an array of content parts', at);
  return content.map((item, index) => decodePart(item, DECODERS[owner], pathOf(at, index)));
}

function decodePart(item: JsonValue, decoders: ReadonlyMap<string, PartDecoder>, at: string): ContentPart {
  const value = expectKind(item, 'object', at);
  const type = requireField(value, 'type', 'string', at);
  const decode = decoders.get(type);
  if (!decode) {
    const refusal = unknownWord(type, decoders.keys(), pathOf(at, 'type'));
    return placed(unknownPart('chat', value, refusal), at);
  }
  const part = decode(value, at);
  const cacheHint = decodeCacheHint(value, at);
  if (cacheHint) part.cacheHint = cacheHint;
  const extra = chatExtra({
    ...omitKeys(value, new Set(['type', type, 'cache_control'])),
    ...innerExtra(type, value[type]),
    ...part.extra?.fields,
  });
  if (extra) part.extra = extra;
  return placed(part, at);
}

/** What the object of a part's own kind says beyond these fields stands under its key. */
const INNER_FIELDS = new Map([
  ['image_url', new Set(['url', 'detail'])],
  ['video_url', new Set(['url'])],
  ['document_url', new Set(['url'])],
  ['input_audio', new Set(['data', 'format'])],
  ['file', new Set(['file_data', 'file_id', 'filename'])],
]);

function innerExtra(type: string, value: JsonValue | undefined): JsonObject {
  const known = INNER_FIELDS.get(type);
  const unknown = known && isObject(value) ? omitKeys(value, known) : {};
  return Object.keys(unknown).length > 0 ? { [type]: unknown } : {};
}

export function decodeText(part: JsonObject, at: string): TextPart {
  return { type: 'text', text: requireField(part, 'text', 'string', at) };
}

export function decodeRefusal(part: JsonObject, at: string): RefusalPart {
  return { type: 'refusal', text: requireField(part, 'refusal', 'string', at) };
}

/** Mistral: `{ type: 'thinking', thinking: [{ type: 'text', text }] }`. */
function decodeThinking(part: JsonObject, at: string): ReasoningPart {
  const pieces = requireField(part, 'thinking', 'array', at);
  const texts = pieces.map((piece, index) => {
    const path = pathOf(pathOf(at, 'thinking'), index);
    return requireField(expectKind(piece, 'object', path), 'text', 'string', path);
  });
  return {
    type: 'reasoning',
    text: texts.join(''),
    extra: { dialect: 'chat', fields: { type: 'thinking' } },
  };
}

/** `image_url` is `{ url, detail }`; some clients write the bare URL. */
function decodeImage(part: JsonObject, at: string): ImagePart {
  const path = pathOf(at, 'image_url');
  const value = part['image_url'];
  const image = typeof value === 'string' ? { url: value } : expectKind(value, 'object', path);
  const source = urlSource(requireField(image, 'url', 'string', path), pathOf(path, 'url'));
  const detail = optionalField(image, 'detail', 'string', path);
  return detail === undefined ? { type: 'image', source } : { type: 'image', source, detail };
}

/** OpenAI names formats (`wav`, `mp3`); the neutral model, media types. */
const AUDIO_MEDIA_TYPES = new Map([['mp3', 'audio/mpeg']]);

export function audioMediaType(format: string): string {
  return AUDIO_MEDIA_TYPES.get(format) ?? `audio/${format}`;
}

export function audioFormat(mediaType: string): string {
  for (const [format, known] of AUDIO_MEDIA_TYPES) if (known === mediaType) return format;
  const subtype = mediaType.slice(mediaType.indexOf('/') + 1);
  return subtype.startsWith('x-') ? subtype.slice(2) : subtype;
}

export function decodeAudio(part: JsonObject, at: string): AudioPart {
  const path = pathOf(at, 'input_audio');
  const audio = requireField(part, 'input_audio', 'object', at);
  const data = requireField(audio, 'data', 'string', path);
  // OpenAI takes bare base64; some clients put a data URL there.
  if (isDataUrl(data)) return { type: 'audio', source: urlSource(data, pathOf(path, 'data')) };
  const mediaType = audioMediaType(requireField(audio, 'format', 'string', path));
  return { type: 'audio', source: { kind: 'data', mediaType, base64: data } };
}

function decodeFile(part: JsonObject, at: string): FilePart {
  const path = pathOf(at, 'file');
  const file = requireField(part, 'file', 'object', at);
  const filename = optionalField(file, 'filename', 'string', path);
  const result: FilePart = { type: 'file', source: fileSource(file, path) };
  if (filename !== undefined) result.filename = filename;
  return result;
}

function fileSource(file: JsonObject, path: string): MediaSource {
  const fileId = optionalField(file, 'file_id', 'string', path);
  if (fileId !== undefined) return { kind: 'fileId', fileId, dialect: 'chat' };
  const data = requireField(file, 'file_data', 'string', path);
  // OpenRouter also takes an http URL here; some clients leave the base64 bare. Files that OpenAI takes are PDFs.
  if (isDataUrl(data) || /^https?:/i.test(data)) return urlSource(data, pathOf(path, 'file_data'));
  return { kind: 'data', mediaType: 'application/pdf', base64: data };
}

/** A file that a kind of part of its own links to, either by the bare URL or as `{ url }`. */
function decodeLinkedFile(type: string): PartDecoder {
  return (part, at) => {
    const path = pathOf(at, type);
    const value = part[type];
    const url = isObject(value)
      ? requireField(value, 'url', 'string', path)
      : expectKind(value, 'string', path);
    return { type: 'file', source: urlSource(url, path), extra: { dialect: 'chat', fields: { type } } };
  };
}

/** OpenAI takes web addresses; `gs:` and `s3:` are what clients of the models of Google and of Bedrock write. */
export const FETCHABLE = /^(?:https?|gs|s3):/i;

export function urlSource(url: string, path: string): MediaSource {
  if (!isDataUrl(url)) {
    if (FETCHABLE.test(url)) return { kind: 'url', url };
    throw invalidRequest(
      `'${path}' must be an address that begins with 'https:', 'http:' or 'data:'.`,
      path,
      'invalid_value',
    );
  }
  const data = parseDataUrl(url);
  if (!data) {
    throw invalidRequest(
      `'${path}' is not a well-formed data URL; 'data:<media type>;base64,<data>' was expected.`,
      path,
      'invalid_value',
    );
  }
  return { kind: 'data', ...data };
}

/** Images that a model generated, in the form that OpenRouter gave `message.images`; others are left out. */
export function decodeImages(
  images: JsonValue | undefined,
  sourceOf: (url: string, index: number) => MediaSource = answeredSource,
): ImagePart[] {
  if (!Array.isArray(images)) return [];
  return images.flatMap((item, index) => {
    const value = isObject(item) && isObject(item['image_url']) ? item['image_url']['url'] : undefined;
    if (typeof value !== 'string') return [];
    return [{ type: 'image', source: sourceOf(value, index) }];
  });
}

/** An answer is taken as it comes. */
function answeredSource(url: string): MediaSource {
  const data = parseDataUrl(url);
  return data ? { kind: 'data', ...data } : { kind: 'url', url };
}
