import { createParser } from 'eventsource-parser';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { StreamMessage } from '../dialects/dialect.ts';

/** One event larger than this is not a stream but a mistake. */
const MAX_EVENT_LENGTH = 32 * 1024 * 1024;

/**
 * Bytes of a server-sent event stream in, messages out, however the packets are cut. For streams that are translated;
 * those that pass through are only cut into whole events (`EventBlocks`).
 */
export class EventReader {
  readonly #decoder = new TextDecoder();
  #messages: StreamMessage[] = [];
  readonly #parser;

  /** `tellsComments`: comments, by which servers keep a silent connection open, are messages of the type `ping`. */
  constructor(options: { tellsComments?: boolean } = {}) {
    this.#parser = createParser({
      maxBufferSize: MAX_EVENT_LENGTH,
      onEvent: ({ event, data }) => this.#messages.push({ event, data }),
      onComment:
        options.tellsComments === true ? () => this.#messages.push({ event: 'ping', data: '' }) : undefined,
      // The other errors are lines that the standard has readers ignore.
      onError: (cause) => {
        if (cause.type !== 'max-buffer-size-exceeded') return;
        throw new GatewayError(
          'upstream_unavailable',
          `The provider sent an event of more than ${MAX_EVENT_LENGTH} characters.`,
          { cause },
        );
      },
    });
  }

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
