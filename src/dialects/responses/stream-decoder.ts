import { appendAll } from '../../conversation/append-all.ts';
import type { CompletionEvent } from '../../conversation/completion.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import { embeddedError, eventFailure } from '../chat/errors.ts';
import { fallbackCallId } from '../chat/tool-calls.ts';
import type { StreamDecoder, StreamMessage } from '../dialect.ts';
import { readFinishReason } from '../finish-reasons.ts';
import { finishWithCalls } from '../finish-with-calls.ts';
import { omitKeys } from '../read-json.ts';
import { eventError, failureOf } from './errors.ts';
import { responsesExtra } from './extra.ts';
import { type StreamItem, streamItem } from './stream-items.ts';
import { decodeUsage, usageRest } from './usage.ts';

const HEAD_FIELDS = new Set([
  'id',
  'object',
  'created_at',
  'model',
  'output',
  'output_text',
  'status',
  'usage',
]);

/** Events that bring the response as it stands and say nothing more. */
const BEGINNINGS = new Set(['response.created', 'response.queued', 'response.in_progress']);
/** Events that bring the whole response and end the stream. */
const ENDS = new Set(['response.completed', 'response.incomplete', 'response.failed', 'response.cancelled']);

/**
 * Reads the stream of a provider. Items are known by their place (`output_index`): some servers give every event
 * another id. Events that are not known say nothing about the answer; the items that they are of come whole.
 *
 * Source: OpenAI API reference (streaming events of the Responses API).
 */
export class ResponsesStreamDecoder implements StreamDecoder {
  #id = '';
  #started = false;
  #over = false;
  #nextPart = 0;
  #callsTools = false;
  readonly #items = new Map<number, StreamItem>();

  push({ event: name, data }: StreamMessage): CompletionEvent[] {
    const text = data.trim();
    if (this.#over || text === '' || text === '[DONE]') return [];
    const event = tryParseJson(text);
    if (!isObject(event)) return this.#fail(eventFailure(event, text, name));
    return this.pushEvent(typeof event['type'] === 'string' ? event['type'] : (name ?? ''), event);
  }

  /** An event that is parsed already. */
  pushEvent(type: string, event: JsonObject): CompletionEvent[] {
    if (this.#over) return [];
    const { response } = event;
    if (type === 'error') return this.#fail(eventError(event));
    if (BEGINNINGS.has(type)) return this.#begin(isObject(response) ? response : {});
    if (ENDS.has(type)) return this.#finish(type, isObject(response) ? response : {});
    const index = typeof event['output_index'] === 'number' ? event['output_index'] : undefined;
    if (index !== undefined) return [...this.#begin({}), ...this.#pushItem(type, event, index)];
    const failure = failureOf(event);
    return failure ? this.#fail(failure) : [];
  }

  end(): CompletionEvent[] {
    if (this.#over) return [];
    return this.#fail(
      new GatewayError(
        'upstream_unavailable',
        'The provider ended its stream early, before the answer was complete.',
      ),
    );
  }

  #begin(response: JsonObject): CompletionEvent[] {
    if (this.#started) return [];
    this.#started = true;
    const { id, model, created_at: created } = response;
    this.#id = stringOf(id);
    const extra = responsesExtra(omitKeys(response, HEAD_FIELDS));
    return [
      {
        type: 'start',
        id: this.#id,
        model: stringOf(model),
        ...(typeof created === 'number' ? { created } : {}),
        ...(extra ? { extra } : {}),
      },
    ];
  }

  #pushItem(type: string, event: JsonObject, index: number): CompletionEvent[] {
    const item = isObject(event['item']) ? event['item'] : {};
    if (type === 'response.output_item.added') {
      return this.#items.has(index) ? [] : this.#addItem(index, item).begin();
    }
    const known = this.#items.get(index);
    if (type === 'response.output_item.done') {
      const open = known ?? this.#addItem(index, item);
      return open.isDone ? [] : open.end(item);
    }
    return known && !known.isDone ? known.push(type, event) : [];
  }

  #addItem(index: number, item: JsonObject): StreamItem {
    const { type } = item;
    if (type === 'function_call' || type === 'custom_tool_call') this.#callsTools = true;
    const numbering = { nextPart: () => this.#nextPart++ };
    const added = streamItem(item, numbering, fallbackCallId(this.#id, 0, index));
    this.#items.set(index, added);
    return added;
  }

  #finish(type: string, response: JsonObject): CompletionEvent[] {
    const events = [...this.#begin(response), ...this.#endItems(response['output'])];
    const usage = decodeUsage(response['usage'], response);
    if (usage) events.push({ type: 'usage', usage });
    if (type === 'response.failed' || type === 'response.cancelled') {
      const failure = failureOf({ status: 'failed', ...response });
      return [...events, ...this.#fail(failure ?? embeddedError({ error: {} }))];
    }
    this.#over = true;
    const details = isObject(response['incomplete_details']) ? response['incomplete_details'] : {};
    const isIncomplete = type === 'response.incomplete' || response['status'] === 'incomplete';
    const word = isIncomplete ? stringOf(details['reason']) : 'completed';
    const reason = finishWithCalls(readFinishReason('responses', word), this.#callsTools);
    const rest = usageRest(response['usage']);
    const fields = omitKeys(response, HEAD_FIELDS);
    const extra = responsesExtra(Object.keys(rest).length > 0 ? { ...fields, usage: rest } : fields);
    return [...events, { type: 'finish', choice: 0, reason }, { type: 'end', ...(extra ? { extra } : {}) }];
  }

  /** What a server left out of its events stands in the whole output at the latest. */
  #endItems(output: JsonValue | undefined): CompletionEvent[] {
    const whole = Array.isArray(output) ? output.filter(isObject) : [];
    // Some servers leave items out of the whole that were in the stream; places do not match then.
    const isWhole = whole.length >= this.#items.size;
    const events: CompletionEvent[] = [];
    for (const [index, item] of isWhole ? whole.entries() : []) {
      const open = this.#items.get(index) ?? this.#addItem(index, item);
      if (!open.isDone) appendAll(events, open.end(item));
    }
    for (const open of this.#items.values()) if (!open.isDone) appendAll(events, open.end(undefined));
    return events;
  }

  #fail(error: GatewayError): CompletionEvent[] {
    this.#over = true;
    return [{ type: 'error', error }];
  }
}

function stringOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
