import { isUtf8 } from 'node:buffer';
import type { AudioPart, FilePart, MediaSource } from '../conversation/conversation.ts';

/**
 * Audio and documents are charged by the second and by the page (OpenAI 10 a second of audio; Gemini 32, and 258 a
 * page; Anthropic 1,500 to 3,000 a page). Neither is known without taking the file apart, so both are taken from its
 * bytes: audio as if it were speech at 32 kbit/s and Gemini's rate, a document as one page for each 50 KB.
 */
const AUDIO_BYTES_PER_TOKEN = 125;
const FILE_BYTES_PER_TOKEN = 25;
const LEAST_FILE_TOKENS = 258;
/** What lies at a provider or behind an address: nothing is known of it. Ten pages, or some minutes of speech. */
const UNSEEN_TOKENS = 5_000;

/** What a PDF begins with (`%PDF-`; ISO 32000-1, 7.5.2), whatever it is called. The last letter holds bits of what follows. */
const PDF_BASE64 = Buffer.from('%PDF-').toString('base64').slice(0, 6);

export function audioTokens({ source }: AudioPart): number {
  const bytes = bytesOf(source);
  return bytes === undefined ? UNSEEN_TOKENS : Math.ceil(bytes / AUDIO_BYTES_PER_TOKEN);
}

/** For files that are no text. */
export function fileTokens({ source }: FilePart): number {
  const bytes = bytesOf(source);
  if (bytes === undefined) return UNSEEN_TOKENS;
  const perToken = isAudio(source) ? AUDIO_BYTES_PER_TOKEN : FILE_BYTES_PER_TOKEN;
  return Math.max(LEAST_FILE_TOKENS, Math.ceil(bytes / perToken));
}

/** The text of a file that is text, whatever it is called; `undefined` for every other. */
export function fileText({ source }: FilePart): string | undefined {
  if (source.kind === 'text') return source.text;
  if (source.kind !== 'data') return undefined;
  const isCalledText = /^text\/|[/+]json\b|[/+]xml\b|[/+-]yaml\b/.test(source.mediaType);
  if (!isCalledText && isOfPages(source)) return undefined;
  const bytes = Buffer.from(source.base64, 'base64');
  return isCalledText || (isUtf8(bytes) && !bytes.includes(0)) ? bytes.toString('utf8') : undefined;
}

/** Whether a file that is no text is of a kind whose tokens go by its pages or its length. */
export function isMedium({ source }: FilePart): boolean {
  if (source.kind !== 'data') return true;
  return isOfPages(source) || /^(audio|video|image)\//.test(source.mediaType);
}

function isOfPages({ base64 }: { base64: string }): boolean {
  return base64.startsWith(PDF_BASE64);
}

function bytesOf(source: MediaSource): number | undefined {
  return source.kind === 'data' ? Math.floor((source.base64.length * 3) / 4) : undefined;
}

function isAudio(source: MediaSource): boolean {
  return source.kind === 'data' && source.mediaType.startsWith('audio/');
}
