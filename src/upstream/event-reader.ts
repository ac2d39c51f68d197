import { createParser } from 'eventsource-parser';
import type { StreamMessage } from '../dialects/dialect.ts';

/**
 * Bytes of a server-sent event stream in, messages out, however the packets are cut. For streams that are translated;
 * those that pass through are only cut into whole events (`EventBlocks`).
 */
export class EventReader {
  readonly #decoder = new TextDecoder();
  #messages: StreamMessage[] = [];
  readonly #parser = createParser({
    onEvent: ({ event, data }) => this.#messages.push({ event, data }),
  });

  push(chunk: Buffer): StreamMessage[] {
    return this.#feed(this.#decoder.decode(chunk, { stream: true }));
  }

  /** The last event may lack its blank line. */
  end(): StreamMessage[] {
    return this.#feed(`${this.#decoder.decode()}\n\n`);
  }

  #feed(text: string): StreamMessage[] {
    this.#parser.feed(text);
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }
}
