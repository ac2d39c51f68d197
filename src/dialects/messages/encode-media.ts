import type { FilePart, ImagePart } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { partField } from '../caller-words.ts';
import type { EncodeContext } from './encode-context.ts';
import { encodeCacheHint, splitInner } from './fields.ts';

/** Source: Messages API reference (`Base64ImageSource.media_type`). */
const IMAGE_TYPES = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp']);

/** `image/jpg` is no media type, but many clients write it. */
const IMAGE_TYPE_ALIASES = new Map([['image/jpg', 'image/jpeg']]);

export function encodeImage(context: EncodeContext, part: ImagePart, path: string): JsonObject {
  if (part.detail !== undefined && part.detail !== 'auto') {
    context.dropped.add(partField(context.conversation, part, 'imageDetail'));
  }
  const { inner, others } = splitInner(part.extra, 'source');
  return {
    type: 'image',
    source: { ...imageSource(part, path), ...inner },
    ...encodeCacheHint(part.cacheHint),
    ...others,
  };
}

function imageSource({ source }: ImagePart, path: string): JsonObject {
  switch (source.kind) {
    case 'data': {
      const named = source.mediaType.toLowerCase();
      const mediaType = IMAGE_TYPE_ALIASES.get(named) ?? named;
      if (!IMAGE_TYPES.has(mediaType)) {
        throw unsupported(path, `an image of type '${source.mediaType}'. Send it as JPEG, PNG, GIF or WebP`);
      }
      return { type: 'base64', media_type: mediaType, data: source.base64 };
    }
    case 'url':
      return urlSource(source.url, path);
    case 'fileId':
      return fileSource(source, path);
    case 'text':
      throw unsupported(path, 'an image that is text');
    default:
      return source satisfies never;
  }
}

export function encodeDocument(part: FilePart, path: string): JsonObject {
  const { inner, others } = splitInner(part.extra, 'source');
  return {
    type: 'document',
    source: { ...documentSource(part, path), ...inner },
    ...(part.filename === undefined ? {} : { title: part.filename }),
    ...encodeCacheHint(part.cacheHint),
    ...others,
  };
}

/** PDF and plain text are all that a document may be. */
function documentSource({ source }: FilePart, path: string): JsonObject {
  switch (source.kind) {
    case 'data':
      if (source.mediaType === 'application/pdf') {
        return { type: 'base64', media_type: source.mediaType, data: source.base64 };
      }
      if (source.mediaType.startsWith('text/')) {
        return textSource(Buffer.from(source.base64, 'base64').toString('utf8'));
      }
      throw unsupported(path, `a file of type '${source.mediaType}'. Send it as PDF or plain text`);
    case 'url':
      if (source.mediaType === undefined || source.mediaType === 'application/pdf') {
        return urlSource(source.url, path);
      }
      throw unsupported(path, `a URL of a file of type '${source.mediaType}'. Only PDFs can be given by URL`);
    case 'fileId':
      return fileSource(source, path);
    case 'text':
      return textSource(source.text);
    default:
      return source satisfies never;
  }
}

/** Anthropic fetches from the web only. */
function urlSource(url: string, path: string): JsonObject {
  if (!/^https?:/i.test(url))
    throw unsupported(path, 'media at such an address. Send their data or an https URL');
  return { type: 'url', url };
}

function textSource(text: string): JsonObject {
  return { type: 'text', media_type: 'text/plain', data: text };
}

function fileSource({ fileId, dialect }: { fileId: string; dialect: string }, path: string): JsonObject {
  if (dialect === 'messages') return { type: 'file', file_id: fileId };
  throw unsupported(path, 'a file by its id in the store of another provider. Send the file itself');
}

export function unsupported(path: string, what: string): Error {
  return invalidRequest(
    `'${path}': the model this call goes to takes no such input: ${what}, or choose another model.`,
    path,
    'unsupported_content',
  );
}
