import type {
  AudioPart,
  FilePart,
  ImagePart,
  Part,
  RefusalPart,
  TextPart,
} from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { writeDataUrl } from '../data-url.ts';
import { placeOf } from '../places.ts';
import { omitKeys } from '../read-json.ts';
import { audioFormat } from './content-parts.ts';
import { ownFields, ownObject } from './extra.ts';
import type { Target } from './target.ts';

/** The kinds of parts that message content can hold. */
type Writable = TextPart | ImagePart | AudioPart | FilePart | RefusalPart;

/**
 * Writes message content: a string where it is one plain text, else an array of parts. Parts that the dialect has
 * no form for are dropped and named, or refused where the answer would be wrong without them.
 */
export function encodeContent(parts: readonly Part[], target: Target): JsonValue {
  const encoded = encodeParts(parts, target);
  const [first] = encoded;
  if (!first) return '';
  const { text, ...others } = first;
  const isPlainText = encoded.length === 1 && typeof text === 'string' && Object.keys(others).length === 1;
  return isPlainText ? text : encoded;
}

export function encodeParts(parts: readonly Part[], target: Target): JsonObject[] {
  return parts.map((part) => encodePart(part, target)).filter((part) => part !== undefined);
}

/** One content part; `undefined` where it was dropped. */
function encodePart(part: Part, target: Target): JsonObject | undefined {
  switch (part.type) {
    case 'text':
    case 'image':
    case 'audio':
    case 'file':
    case 'refusal':
      return withExtra(writePart(part, target), part, target);
    case 'opaque':
      return part.dialect === 'chat' ? part.value : undefined;
    case 'reasoning':
    case 'tool_call':
    case 'tool_result':
      // These have fields and messages of their own, which the message encoder writes.
      return undefined;
    default:
      return part satisfies never;
  }
}

function writePart(part: Writable, target: Target): JsonObject {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text };
    case 'refusal':
      return { type: 'refusal', refusal: part.text };
    case 'image': {
      const url = imageUrl(part);
      if (target.images === 'inline' && !isInlineImage(url)) throw refusedImage(part);
      return {
        type: 'image_url',
        image_url: part.detail === undefined ? { url } : { url, detail: part.detail },
      };
    }
    case 'audio':
      return writeAudio(part);
    case 'file':
      return writeFile(part, target);
    default:
      return part satisfies never;
  }
}

function withExtra(written: JsonObject, part: Writable, target: Target): JsonObject {
  const type = String(written['type']);
  const own = omitKeys(ownFields(part.extra), new Set(['type', type]));
  // OpenAI's own way of the hint stands among the extra fields already.
  const hint = 'prompt_cache_breakpoint' in own ? undefined : part.cacheHint;
  const value = written[type];
  const inner = isObject(value) ? { [type]: { ...value, ...ownObject(part.extra, type) } } : {};
  return { ...written, ...inner, ...own, ...target.cacheControl(hint, placeOf(part)) };
}

function imageUrl(part: ImagePart): string {
  const { source } = part;
  if (source.kind === 'url') return source.url;
  if (source.kind === 'data') return writeDataUrl(source);
  throw refusedContent('An image given by a file id', 'as data or by its URL', part);
}

/** The kinds that Ollama knows (its source, `openai/openai.go`). */
export function isInlineImage(url: string): boolean {
  return /^data:(?:image\/(?:jpe?g|png|webp))?;base64,/.test(url);
}

export function refusedImage(part: object): Error {
  return refusedContent(
    'An image by its address, or of another kind than JPEG, PNG and WebP,',
    'as data',
    part,
  );
}

/** Images that a model generated, in the form that OpenRouter gave `message.images`. */
export function generatedImages(parts: readonly Part[]): JsonObject[] {
  return parts
    .filter((part) => part.type === 'image')
    .filter(isGeneratedImage)
    .map((part) => ({ type: 'image_url', image_url: { url: imageUrl(part) } }));
}

/** Whether its data, or where they are, can stand in a message. */
export function isGeneratedImage({ source }: ImagePart): boolean {
  return source.kind === 'url' || source.kind === 'data';
}

function writeAudio(part: AudioPart): JsonObject {
  const { source } = part;
  if (source.kind !== 'data') throw refusedContent('Audio given by its URL', 'as data', part);
  return { type: 'input_audio', input_audio: { data: source.base64, format: audioFormat(source.mediaType) } };
}

/** Kinds of parts of OpenAI's kin that link to a file: whether the URL stands in an object or bare. */
const LINKS = new Map([
  ['video_url', (url: string): JsonValue => ({ url })],
  ['document_url', (url: string): JsonValue => url],
]);

function writeFile(part: FilePart, target: Target): JsonObject {
  const { source, filename } = part;
  const link = linkType(part, target);
  const write = link === undefined ? undefined : LINKS.get(link);
  if (link !== undefined && write && (source.kind === 'url' || source.kind === 'data')) {
    return { type: link, [link]: write(source.kind === 'url' ? source.url : writeDataUrl(source)) };
  }
  const isText = source.kind === 'text' || (source.kind === 'data' && source.mediaType.startsWith('text/'));
  if (target.files === 'none' && !isText) throw refusedFile(part);
  const named = filename === undefined ? {} : { filename };
  switch (source.kind) {
    case 'fileId':
      // Responses and Chat Completions share one file store.
      if (source.dialect !== 'chat' && source.dialect !== 'responses') {
        throw refusedContent("A file in another provider's file store", 'as data', part);
      }
      return { type: 'file', file: { file_id: source.fileId, ...named } };
    case 'data': {
      const name = filename ?? (target.sameDialect ? undefined : defaultFilename(source.mediaType));
      const file_data = writeDataUrl(source);
      return { type: 'file', file: name === undefined ? { file_data } : { filename: name, file_data } };
    }
    case 'text':
      // OpenAI takes no text files here: the text itself says the same.
      return { type: 'text', text: source.text };
    case 'url':
      // OpenRouter takes the URL; it reaches OpenAI only where the client itself wrote it so.
      if (!target.sameDialect && target.files !== 'document_url') {
        throw refusedContent('A file given by its URL', 'as data', part);
      }
      return { type: 'file', file: { ...named, file_data: source.url } };
    default:
      return source satisfies never;
  }
}

function linkType(part: FilePart, { traits }: Target): string | undefined {
  const { source, extra } = part;
  const said = ownFields(extra)['type'];
  if (typeof said === 'string') return said;
  const mediaType = source.kind === 'data' || source.kind === 'url' ? source.mediaType : undefined;
  if (!mediaType?.startsWith('video/')) return undefined;
  // OpenAI itself has no field for it.
  if (!traits.openParameters) throw refusedContent('A video', 'as images', part);
  return 'video_url';
}

/** OpenAI refuses file data without a name. */
export function defaultFilename(mediaType: string): string {
  return `file.${mediaType.slice(mediaType.indexOf('/') + 1)}`;
}

export function refusedFile(part: object): Error {
  return refusedContent('A file', 'as text', part);
}

/** @param part what cannot be sent: the caller is told where it stands */
export function refusedContent(what: string, instead: string, part: object): Error {
  const path = placeOf(part);
  const where = path === undefined ? '' : `'${path}': `;
  return invalidRequest(
    `${where}${what} cannot be sent to the model this call goes to. Send it ${instead}, or choose another model.`,
    path,
    'unsupported_content',
  );
}
