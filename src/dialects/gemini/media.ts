import type {
  AudioPart,
  DialectName,
  FilePart,
  ImagePart,
  MediaSource,
} from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { defined } from './proto.ts';

export type MediaPart = ImagePart | AudioPart | FilePart;

/** Media types by a file name's ending, for URLs that come without one. `fileData` wants it stated. */
const MEDIA_TYPES: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  heic: 'image/heic',
  heif: 'image/heif',
  gif: 'image/gif',
  bmp: 'image/bmp',
  avif: 'image/avif',
  wav: 'audio/wav',
  mp3: 'audio/mp3',
  aiff: 'audio/aiff',
  aac: 'audio/aac',
  ogg: 'audio/ogg',
  opus: 'audio/ogg',
  flac: 'audio/flac',
  m4a: 'audio/m4a',
  mp4: 'video/mp4',
  mpeg: 'video/mpeg',
  mpg: 'video/mpg',
  mov: 'video/quicktime',
  avi: 'video/avi',
  flv: 'video/x-flv',
  webm: 'video/webm',
  wmv: 'video/wmv',
  '3gp': 'video/3gpp',
  pdf: 'application/pdf',
  json: 'application/json',
  txt: 'text/plain',
  md: 'text/markdown',
  csv: 'text/csv',
  html: 'text/html',
  htm: 'text/html',
  xml: 'text/xml',
  rtf: 'text/rtf',
};

/** Addresses whose media type the provider knows itself: YouTube videos and files of its own Files API. */
const KNOWN_TO_PROVIDER =
  /^https:\/\/((www\.|m\.)?youtube\.com|youtu\.be|generativelanguage\.googleapis\.com\/[^/]+\/files)\//;

/** An `inlineData` message as a neutral source; `undefined` where data or type is missing. */
export function readInlineData({ mimeType, data }: JsonObject): MediaSource | undefined {
  if (typeof mimeType !== 'string' || typeof data !== 'string') return undefined;
  return { kind: 'data', mediaType: mimeType, base64: standardBase64(data) };
}

/** A `fileData` message (any URI: https, gs, Files API) as a neutral source. */
export function readFileData({ mimeType, fileUri }: JsonObject): MediaSource | undefined {
  if (typeof fileUri !== 'string') return undefined;
  const source = { kind: 'url' as const, url: fileUri };
  return typeof mimeType === 'string' ? { ...source, mediaType: mimeType } : source;
}

/** Bytes may come in base64url; every other dialect wants the standard alphabet. */
function standardBase64(data: string): string {
  return /[-_]/.test(data) ? data.replaceAll('-', '+').replaceAll('_', '/') : data;
}

/** The neutral part for a source, by its media type. */
export function mediaPart(source: MediaSource): MediaPart {
  const mediaType = 'mediaType' in source ? (source.mediaType ?? '') : '';
  if (mediaType.startsWith('image/')) return { type: 'image', source };
  if (mediaType.startsWith('audio/')) return { type: 'audio', source };
  return { type: 'file', source };
}

/**
 * A neutral source as the `inlineData` or `fileData` of a part. The provider fetches https URLs itself.
 *
 * @throws GatewayError `invalid_request` naming `path`, for a file of another provider's store and for a URL whose
 *   media type is unknown, unless it `mayLackType`: callers of this dialect may leave it to the provider.
 */
export function writeMedia(source: MediaSource, path: string, mayLackType = false): JsonObject {
  switch (source.kind) {
    case 'data':
      return { inlineData: { mimeType: source.mediaType, data: source.base64 } };
    case 'text':
      return {
        inlineData: { mimeType: source.mediaType, data: Buffer.from(source.text).toString('base64') },
      };
    case 'fileId':
      return { fileData: { fileUri: ownFile(source, path) } };
    case 'url':
      return {
        fileData: defined({
          mimeType: mayLackType ? source.mediaType : mediaTypeOf(source, path),
          fileUri: source.url,
        }),
      };
    default:
      return source satisfies never;
  }
}

function ownFile({ fileId, dialect }: { fileId: string; dialect: DialectName }, path: string): string {
  if (dialect === 'gemini') return fileId;
  throw invalidRequest(
    `'${path}' names a file in another provider's store. Send its data or a URL instead.`,
    path,
    'unsupported_file',
  );
}

function mediaTypeOf(
  { url, mediaType }: { url: string; mediaType?: string },
  path: string,
): string | undefined {
  if (mediaType !== undefined) return mediaType;
  const ending = endingOf(url);
  if (ending !== undefined && Object.hasOwn(MEDIA_TYPES, ending)) return MEDIA_TYPES[ending];
  if (KNOWN_TO_PROVIDER.test(url)) return undefined;
  throw invalidRequest(
    `The media type of '${path}' cannot be told from its URL. Use a URL that ends in a known file extension, or send the data.`,
    path,
    'unknown_media_type',
  );
}

function endingOf(url: string): string | undefined {
  const path = url.split(/[?#]/, 1)[0] ?? '';
  const name = path.slice(path.lastIndexOf('/') + 1);
  const dot = name.lastIndexOf('.');
  return dot < 0 ? undefined : name.slice(dot + 1).toLowerCase();
}
