import { appendAll } from '../../conversation/append-all.ts';
import type { AudioPart } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { extraOf, ownFields } from './extra.ts';

/**
 * Audio that a model spoke: `message.audio` { id, data, expires_at, transcript }. The format is the one that the
 * request asked for and is not repeated in the answer.
 *
 * Source: OpenAI API reference (`ChatCompletionAudio`).
 */
const UNNAMED_FORMAT = 'application/octet-stream';
const DATA = new Set(['data']);

export function decodeAudioOutput(audio: JsonObject): AudioPart {
  const base64 = typeof audio['data'] === 'string' ? audio['data'] : '';
  const part: AudioPart = { type: 'audio', source: { kind: 'data', mediaType: UNNAMED_FORMAT, base64 } };
  const extra = extraOf(audio, DATA);
  if (extra) part.extra = extra;
  return part;
}

/** `undefined` where the audio is not in the answer itself. */
export function encodeAudioOutput({ source, extra }: AudioPart, id: string): JsonObject | undefined {
  if (source.kind !== 'data') return undefined;
  return { id, expires_at: 0, transcript: '', ...ownFields(extra), data: source.base64 };
}

/** Adds up the deltas of a stream. Each `data` is base64 of its own piece, so the bytes are joined, not the texts. */
export class AudioOutputPieces {
  #fields: [string, JsonObject[string]][] = [];
  #transcript = '';
  readonly #data: Buffer[] = [];

  push(delta: JsonObject): void {
    const { data, transcript, ...rest } = delta;
    if (typeof data === 'string') this.#data.push(Buffer.from(data, 'base64'));
    if (typeof transcript === 'string') this.#transcript += transcript;
    appendAll(this.#fields, Object.entries(rest));
  }

  whole(): JsonObject {
    const data = Buffer.concat(this.#data).toString('base64');
    return { ...Object.fromEntries(this.#fields), data, transcript: this.#transcript };
  }
}
