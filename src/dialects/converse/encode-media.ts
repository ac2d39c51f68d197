import type { AudioPart, FilePart, ImagePart, MediaSource } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { partField } from '../caller-words.ts';
import { unsupported } from '../messages/encode-media.ts';
import type { DocumentNames } from './document-names.ts';
import type { EncodeContext } from './encode-context.ts';
import { ownFields } from './fields.ts';

/** What Bedrock calls the formats that media types name. Source: API reference (`ImageFormat`, `DocumentFormat`, …). */
const IMAGE_FORMATS = new Map([
  ['image/png', 'png'],
  ['image/jpeg', 'jpeg'],
  // No media type, but many clients write it.
  ['image/jpg', 'jpeg'],
  ['image/gif', 'gif'],
  ['image/webp', 'webp'],
]);
const DOCUMENT_FORMATS = new Map([
  ['application/pdf', 'pdf'],
  ['text/csv', 'csv'],
  ['application/msword', 'doc'],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'docx'],
  ['application/vnd.ms-excel', 'xls'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx'],
  ['text/html', 'html'],
  ['text/markdown', 'md'],
  ['text/plain', 'txt'],
]);
const VIDEO_FORMATS = new Map([
  ['video/x-matroska', 'mkv'],
  ['video/quicktime', 'mov'],
  ['video/mp4', 'mp4'],
  ['video/webm', 'webm'],
  ['video/x-flv', 'flv'],
  ['video/mpeg', 'mpeg'],
  ['video/x-ms-wmv', 'wmv'],
  ['video/3gpp', 'three_gp'],
]);
const AUDIO_FORMATS = new Map([
  ['audio/mpeg', 'mp3'],
  ['audio/mp3', 'mp3'],
  ['audio/wav', 'wav'],
  ['audio/x-wav', 'wav'],
  ['audio/flac', 'flac'],
  ['audio/ogg', 'ogg'],
  ['audio/opus', 'opus'],
  ['audio/aac', 'aac'],
  ['audio/mp4', 'm4a'],
  ['audio/webm', 'webm'],
]);

export function encodeImage(context: EncodeContext, part: ImagePart, path: string): JsonObject {
  if (part.detail !== undefined && part.detail !== 'auto') {
    context.dropped.add(partField(context.conversation, part, 'imageDetail'));
  }
  const format = formatOf(part.source, IMAGE_FORMATS);
  if (!format) throw unsupported(path, 'an image of this type. Send it as JPEG, PNG, GIF or WebP');
  return { image: { format, source: encodeSource(part.source, path), ...ownFields(part.extra) } };
}

export function encodeAudio(part: AudioPart, path: string): JsonObject {
  const format = formatOf(part.source, AUDIO_FORMATS);
  if (!format) throw unsupported(path, 'audio of this type. Send it as MP3 or WAV, or its transcript');
  return { audio: { format, source: encodeSource(part.source, path), ...ownFields(part.extra) } };
}

/** A document, or whatever other medium a file is. */
export function encodeFile(names: DocumentNames, part: FilePart, path: string): JsonObject {
  const { source, filename, extra } = part;
  const video = formatOf(source, VIDEO_FORMATS);
  if (video) return { video: { format: video, source: encodeSource(source, path), ...ownFields(extra) } };
  const audio = formatOf(source, AUDIO_FORMATS);
  if (audio) return { audio: { format: audio, source: encodeSource(source, path), ...ownFields(extra) } };
  const image = formatOf(source, IMAGE_FORMATS);
  if (image) return { image: { format: image, source: encodeSource(source, path), ...ownFields(extra) } };
  const format = formatOf(source, DOCUMENT_FORMATS) ?? (isText(source) ? 'txt' : undefined);
  if (!format) throw unsupported(path, 'a file of this type. Send it as PDF, Office document or text');
  return {
    document: { name: names.name(filename), format, source: encodeSource(source, path), ...ownFields(extra) },
  };
}

function encodeSource(source: MediaSource, path: string): JsonObject {
  switch (source.kind) {
    case 'data':
      return { bytes: source.base64 };
    case 'text':
      return { bytes: Buffer.from(source.text, 'utf8').toString('base64') };
    case 'url':
      if (isS3(source.url)) return { s3Location: { uri: source.url } };
      throw unsupported(path, "a URL other than 's3://…'. Send the data itself");
    case 'fileId':
      throw unsupported(path, 'a file by its id in the store of another provider. Send the file itself');
    default:
      return source satisfies never;
  }
}

/** By the media type, else by the ending of a URL. */
function formatOf(source: MediaSource, formats: ReadonlyMap<string, string>): string | undefined {
  if (source.kind === 'fileId') return undefined;
  if (source.mediaType !== undefined) {
    const [mediaType = ''] = source.mediaType.split(';');
    return formats.get(mediaType.trim().toLowerCase());
  }
  if (source.kind !== 'url') return undefined;
  const ending = /\.([A-Za-z0-9]+)(?:[?#].*)?$/.exec(source.url)?.[1]?.toLowerCase() ?? '';
  const format = ending === 'jpg' ? 'jpeg' : ending;
  return [...formats.values()].includes(format) ? format : undefined;
}

function isText(source: MediaSource): boolean {
  return source.kind === 'text' || (source.kind === 'data' && source.mediaType.startsWith('text/'));
}

function isS3(url: string): boolean {
  return url.toLowerCase().startsWith('s3://');
}
