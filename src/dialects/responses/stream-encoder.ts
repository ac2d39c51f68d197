import type { CompletionEvent } from '../../conversation/completion.ts';
import type { JsonObject } from '../../conversation/json.ts';
import type { StreamEncoder, StreamEncoderOptions } from '../dialect.ts';
import { writeEvent } from './failure-events.ts';
import { ResponseWriter } from './response-writer.ts';

/**
 * Writes the stream of a client: each event is named by its type. There is no `[DONE]`; the last event is
 * `response.completed`, `.incomplete` or `.failed`.
 */
export class ResponsesStreamEncoder implements StreamEncoder {
  readonly #writer: ResponseWriter;

  constructor({ request, dropped }: StreamEncoderOptions) {
    this.#writer = new ResponseWriter(request, dropped);
  }

  get answer(): JsonObject | undefined {
    return this.#writer.answer;
  }

  push(event: CompletionEvent): string {
    return this.#writer.push(event).map(writeEvent).join('');
  }
}
