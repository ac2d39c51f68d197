import type {
  AudioPart,
  FilePart,
  ImagePart,
  OpaquePart,
  Part,
  RefusalPart,
  TextPart,
} from '../../conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { audioFormat } from '../chat/content-parts.ts';
import { defaultFilename, refusedContent } from '../chat/encode-content.ts';
import { writeDataUrl } from '../data-url.ts';
import { placeOf } from '../places.ts';
import { encodeAnnotations } from './annotations.ts';
import { partFields } from './extra.ts';
import type { ResponsesTarget } from './target.ts';

type Writable = TextPart | ImagePart | AudioPart | FilePart | OpaquePart;

/** Content of what users, instructions and tools say: a string where it is one plain text, else a list. */
export function encodeInputContent(parts: readonly Part[], target: ResponsesTarget): JsonValue {
  return plainText(parts.flatMap((part) => encodeInputPart(part, target)));
}

/** A list of content as the text that it is, where it is nothing more. */
export function plainText(content: JsonObject[]): JsonValue {
  const [first] = content;
  if (!first) return '';
  if (content.length > 1) return content;
  const { type: _, text, annotations = [], ...others } = first;
  const isPlain = typeof text === 'string' && Object.keys(others).length === 0;
  return isPlain && Array.isArray(annotations) && annotations.length === 0 ? text : content;
}

function encodeInputPart(part: Part, target: ResponsesTarget): JsonObject[] {
  switch (part.type) {
    case 'text':
    case 'image':
    case 'audio':
    case 'file':
      target.dropCacheHint(part.cacheHint, placeOf(part));
      return [{ ...writeInputPart(part, target), ...partFieldsOf(part) }];
    case 'refusal':
      return [{ type: 'input_text', text: part.text }];
    case 'opaque':
      return part.dialect === 'responses' ? [part.value] : [];
    case 'reasoning':
    case 'tool_call':
    case 'tool_result':
      // These are items of their own.
      return [];
    default:
      return part satisfies never;
  }
}

function partFieldsOf({ extra }: Exclude<Writable, OpaquePart>): JsonObject {
  const { instructions: _, annotations: __, ...fields } = partFields(extra);
  return fields;
}

function writeInputPart(part: Exclude<Writable, OpaquePart>, target: ResponsesTarget): JsonObject {
  switch (part.type) {
    case 'text':
      return { type: 'input_text', text: part.text };
    case 'image':
      return {
        type: 'input_image',
        ...imageSource(part),
        ...(part.detail === undefined ? {} : { detail: part.detail }),
      };
    case 'audio': {
      const { source } = part;
      if (source.kind !== 'data') throw refusedContent('Audio given by its URL', 'as data', part);
      const input_audio = { data: source.base64, format: audioFormat(source.mediaType) };
      return { type: 'input_audio', input_audio };
    }
    case 'file':
      return writeFile(part, target);
    default:
      return part satisfies never;
  }
}

function imageSource(part: ImagePart): JsonObject {
  const { source } = part;
  switch (source.kind) {
    case 'url':
      return { image_url: source.url };
    case 'data':
      return { image_url: writeDataUrl(source) };
    case 'fileId':
      return { file_id: ownFileId(source, 'An image', part) };
    case 'text':
      throw refusedContent('Text in the place of an image', 'as text', part);
    default:
      return source satisfies never;
  }
}

function writeFile(part: FilePart, target: ResponsesTarget): JsonObject {
  const { source, filename } = part;
  const named = filename === undefined ? {} : { filename };
  switch (source.kind) {
    case 'fileId':
      return { type: 'input_file', file_id: ownFileId(source, 'A file', part), ...named };
    case 'url':
      return { type: 'input_file', file_url: source.url, ...named };
    case 'data': {
      // OpenAI refuses file data without a name.
      const name = filename ?? (target.sameDialect ? undefined : defaultFilename(source.mediaType));
      const file_data = writeDataUrl(source);
      return name === undefined
        ? { type: 'input_file', file_data }
        : { type: 'input_file', filename: name, file_data };
    }
    case 'text':
      return { type: 'input_text', text: source.text };
    default:
      return source satisfies never;
  }
}

/** Responses and Chat Completions share one file store. */
function ownFileId(
  { fileId, dialect }: { fileId: string; dialect: string },
  what: string,
  part: object,
): string {
  if (dialect === 'chat' || dialect === 'responses') return fileId;
  throw refusedContent(`${what} in another provider's file store`, 'as data', part);
}

/** A part of what the assistant said, in requests and answers alike. */
export function encodeOutputPart(part: TextPart | RefusalPart): JsonObject {
  const { annotations, ...fields } = partFields(part.extra);
  if (part.type === 'refusal') return { type: 'refusal', refusal: part.text, ...fields };
  return {
    type: 'output_text',
    text: part.text,
    annotations: Array.isArray(annotations) ? annotations : encodeAnnotations(part.text, part.citations),
    ...fields,
  };
}
