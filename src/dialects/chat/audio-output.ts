import { appendAll } from '../../conversation/append-all.ts';
import type { AudioPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import { beginsObject, hasValue, valueStart } from '../json-bytes.ts';
import type { MadeIds } from '../pass-through.ts';
import { choicesOf } from './embedded-failures.ts';
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

const AUDIO_KEY = Buffer.from('"audio"');

/** The ids by which later requests can name what a model said in an answer. */
export function madeIds(answer: JsonObject): MadeIds {
  const said = choicesOf(answer).map((choice) =>
    isObject(choice) ? spokenId(choice['message']) : undefined,
  );
  return { items: [], containers: [], audio: said.filter((id) => id !== undefined) };
}

/** The same for a whole answer; `undefined` where nothing is said in it. */
export function readMadeIds(body: Buffer): MadeIds | 'broken' | undefined {
  if (!hasValue(body, AUDIO_KEY, beginsObject)) return undefined;
  const answer = tryParseJson(body.toString('utf8'));
  return isObject(answer) ? madeIds(answer) : 'broken';
}

/** The id stands before what is said. */
const FIRST_ID = /^\{\s*"id"\s*:\s*"([\w-]+)"/;
const LOOK_CHARS = 256;

/** The same of the beginning of a large answer. */
export function readFirstIds(head: Buffer): MadeIds {
  const audio: string[] = [];
  for (let at = head.indexOf(AUDIO_KEY); at !== -1; at = head.indexOf(AUDIO_KEY, at + AUDIO_KEY.length)) {
    const start = valueStart(head, at + AUDIO_KEY.length);
    const id =
      start === -1 ? undefined : FIRST_ID.exec(head.toString('latin1', start, start + LOOK_CHARS))?.[1];
    if (id !== undefined) audio.push(id);
  }
  return { items: [], containers: [], audio };
}

/** The id of what is said in a message, or in the part of one. */
export function spokenId(message: JsonValue | undefined): string | undefined {
  const audio = isObject(message) ? message['audio'] : undefined;
  const id = isObject(audio) ? audio['id'] : undefined;
  return typeof id === 'string' && id !== '' ? id : undefined;
}
