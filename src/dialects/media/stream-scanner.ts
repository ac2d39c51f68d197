import type { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, tryParseJson } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { encodeError, eventFailure, saysError } from '../chat/errors.ts';
import { eventField, splitEvents } from '../event-bytes.ts';
import type { StreamScanner } from '../pass-through.ts';
import { decodeMediaUsage } from './usage.ts';

/**
 * The events that tell that something is whole: `speech.audio.done`, `transcript.text.done`, `transcription.done` (Mistral),
 * `image_generation.completed`, `image_edit.completed`. Of several images each has its own: a stream is with the last of them.
 *
 * Sources: OpenAI API reference, streaming events of images, speech and transcriptions; Mistral API reference.
 */
const LAST_EVENTS = /^(?:speech\.audio|transcript\.text|transcription)\.done$/;
const IMAGE_EVENTS = /^image_(?:generation|edit)\.completed$/;

/** Watches a stream of audio, of a transcription or of images go by. Servers of OpenAI's kin (vLLM) end theirs with [DONE]. */
export class MediaStreamScanner implements StreamScanner {
  usage: Usage | undefined;
  hasOutput = false;
  finished = false;
  terminated = false;
  failure: GatewayError | undefined;
  failureIsTold = false;
  outputEvents = 0;
  readonly #asked: number;
  #images = 0;

  /** `asked`: how many images are to come. */
  constructor(asked = 1) {
    this.#asked = asked;
  }

  scan(events: Buffer): Buffer {
    for (const event of splitEvents(events)) this.#note(event.toString('utf8'));
    return events;
  }

  isWholeEvent(rest: Buffer): boolean {
    const data = eventField(rest.toString('utf8'), 'data');
    return data === '[DONE]' || (data !== undefined && tryParseJson(data) !== undefined);
  }

  /** Nothing is promised behind the last event. */
  closing(): string {
    return '';
  }

  breakOff(error: GatewayError): string {
    return `event: error\ndata: ${JSON.stringify(encodeError(error))}\n\n`;
  }

  #note(text: string): void {
    const data = eventField(text, 'data');
    if (data === undefined || data === '') return;
    if (data === '[DONE]') {
      this.finished = true;
      this.terminated = true;
      return;
    }
    const value = tryParseJson(data);
    const type = isObject(value) ? value['type'] : undefined;
    const name = eventField(text, 'event');
    if (!isObject(value) || type === 'error' || saysError(value) || name === 'error') {
      if (!this.failure) this.failureIsTold = isObject(value) && (type === 'error' || saysError(value));
      this.failure ??= eventFailure(value, data, name);
      return;
    }
    this.hasOutput = true;
    this.outputEvents++;
    this.usage = decodeMediaUsage(value['usage']) ?? this.usage;
    if (typeof type !== 'string') return;
    if (IMAGE_EVENTS.test(type)) this.#images++;
    if (LAST_EVENTS.test(type) || this.#images >= this.#asked) this.finished = true;
  }
}
