import type { CompletionEvent } from '../../conversation/completion.ts';
import { parseKeepingArguments } from '../../conversation/exact-numbers.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import type { StreamDecoder, StreamMessage } from '../dialect.ts';
import { readFinishReason } from '../finish-reasons.ts';
import { decodeErrorEvent } from './errors.ts';
import { extraOf, unknownFields } from './fields.ts';
import { ToolUses } from './finish.ts';
import { explainedRefusal } from './refusal-words.ts';
import { answerExtra, MESSAGE_FIELDS, rejectAnswer } from './response.ts';
import { impliedBlock, openBlock, type StreamBlock } from './stream-blocks.ts';
import { decodeUsage, StreamUsage } from './usage.ts';

const EVENT_FIELDS = new Set(['type', 'delta', 'usage']);
const DELTA_FIELDS = new Set(['stop_reason', 'stop_sequence']);

/**
 * Reads one stream of a provider.
 *
 * Source: docs "Streaming messages". Events of unknown types are passed over, as the docs demand.
 */
export class MessagesStreamDecoder implements StreamDecoder {
  readonly #handlers = new Map<string, (event: JsonObject) => CompletionEvent[]>([
    ['message_start', (event) => this.#messageStart(event)],
    ['content_block_start', (event) => this.#blockStart(event)],
    ['content_block_delta', (event) => this.#blockDelta(event)],
    ['content_block_stop', (event) => this.#blockStop(event)],
    ['message_delta', (event) => this.#messageDelta(event)],
    ['message_stop', () => this.#finish()],
    ['error', (event) => this.#fail(decodeErrorEvent(event))],
  ]);
  /** Open blocks by their index on the wire. */
  readonly #blocks = new Map<number, StreamBlock>();
  readonly #usage = new StreamUsage();
  readonly #toolUses = new ToolUses();
  #extra: JsonObject = {};
  #messageId: string | undefined;
  #parts = 0;
  #stopReason: string | undefined;
  #stopSequence: string | undefined;
  #isOver = false;

  get usageIsAnnounced(): boolean {
    return this.#usage.isAnnounced;
  }

  push(message: StreamMessage): CompletionEvent[] {
    if (this.#isOver) return [];
    const event = parseKeepingArguments(message.data);
    if (!isObject(event)) {
      // Compatible servers end their streams as OpenAI does.
      if (message.data.trim() === '' || message.data.trim() === '[DONE]') return [];
      return this.#fail(unreadable());
    }
    const type = typeof event['type'] === 'string' ? event['type'] : message.event;
    try {
      return this.#handlers.get(type ?? '')?.(event) ?? [];
    } catch (error) {
      if (error instanceof GatewayError) return this.#fail(error);
      throw error;
    }
  }

  end(): CompletionEvent[] {
    if (this.#isOver) return [];
    // With a stop reason and every block closed, only the farewell is missing.
    if (this.#stopReason !== undefined && this.#blocks.size === 0) return this.#finish();
    return this.#fail(brokenOff());
  }

  #messageStart(event: JsonObject): CompletionEvent[] {
    const message = isObject(event['message']) ? event['message'] : {};
    const id = typeof message['id'] === 'string' ? message['id'] : '';
    // Some proxies say the start twice. Another message inside this one is another answer: nothing of it fits.
    if (this.#messageId !== undefined) return this.#messageId === id ? [] : this.#fail(spliced());
    this.#messageId = id;
    this.#extra = unknownFields(message, MESSAGE_FIELDS);
    this.#readStop(message);
    this.#usage.announce(message['usage']);
    const model = typeof message['model'] === 'string' ? message['model'] : '';
    // Content at the start: calls that code on the provider's side made (programmatic tool calling).
    const content = Array.isArray(message['content']) ? message['content'].filter(isObject) : [];
    return [
      { type: 'start', id, model },
      ...this.#usageEvents(),
      ...content.flatMap((value) => {
        const block = this.#open(value);
        return [...block.start(), ...block.stop()];
      }),
    ];
  }

  #blockStart(event: JsonObject): CompletionEvent[] {
    if (!isObject(event['content_block'])) throw rejectAnswer('an object', 'content_block');
    const index = blockIndex(event);
    const closing = this.#blocks.get(index)?.stop() ?? [];
    const block = this.#open(event['content_block']);
    this.#blocks.set(index, block);
    return [...this.#implyStart(), ...closing, ...block.start()];
  }

  #blockDelta(event: JsonObject): CompletionEvent[] {
    const { delta } = event;
    if (!isObject(delta)) return [];
    const open = this.#blocks.get(blockIndex(event));
    if (open) return open.delta(delta);
    const implied = impliedBlock(delta);
    if (!implied) return [];
    const block = this.#open(implied);
    this.#blocks.set(blockIndex(event), block);
    return [...this.#implyStart(), ...block.start(), ...block.delta(delta)];
  }

  #blockStop(event: JsonObject): CompletionEvent[] {
    const index = blockIndex(event);
    const block = this.#blocks.get(index);
    this.#blocks.delete(index);
    return block?.stop() ?? [];
  }

  #messageDelta(event: JsonObject): CompletionEvent[] {
    const delta = isObject(event['delta']) ? event['delta'] : {};
    this.#readStop(delta);
    this.#extra = {
      ...this.#extra,
      ...unknownFields(delta, DELTA_FIELDS),
      ...unknownFields(event, EVENT_FIELDS),
    };
    this.#usage.add(event['usage']);
    return [...this.#implyStart(), ...this.#usageEvents()];
  }

  #finish(): CompletionEvent[] {
    if (this.#stopReason === undefined) return this.#fail(brokenOff());
    const closing = [...this.#blocks.values()].flatMap((block) => block.stop());
    this.#blocks.clear();
    this.#isOver = true;
    return [
      ...closing,
      ...this.#refusal(),
      {
        type: 'finish',
        choice: 0,
        reason: this.#toolUses.finish(
          this.#stopReason === undefined ? 'stop' : readFinishReason('messages', this.#stopReason),
        ),
        ...(this.#stopSequence === undefined ? {} : { stopSequence: this.#stopSequence }),
      },
      { type: 'end', ...extraOf(answerExtra(this.#extra, this.#usage.wire)) },
    ];
  }

  #refusal(): CompletionEvent[] {
    const refusal = explainedRefusal(this.#extra['stop_details']);
    if (!refusal) return [];
    const place = { choice: 0, part: this.#parts++ };
    return [
      { type: 'part_start', ...place, value: { ...refusal, text: '' } },
      { type: 'part_delta', ...place, delta: refusal.text },
      { type: 'part_end', ...place },
    ];
  }

  #fail(error: GatewayError): CompletionEvent[] {
    this.#isOver = true;
    return [{ type: 'error', error }];
  }

  #open(block: JsonObject): StreamBlock {
    this.#toolUses.addBlock(block);
    return openBlock(block, this.#parts++, rejectAnswer);
  }

  /** A stream without `message_start` still needs its first event. */
  #implyStart(): CompletionEvent[] {
    if (this.#messageId !== undefined) return [];
    this.#messageId = '';
    return [{ type: 'start', id: '', model: '' }];
  }

  #readStop(fields: JsonObject): void {
    if (typeof fields['stop_reason'] === 'string') this.#stopReason = fields['stop_reason'];
    if (typeof fields['stop_sequence'] === 'string') this.#stopSequence = fields['stop_sequence'];
  }

  #usageEvents(): CompletionEvent[] {
    const wire = this.#usage.wire;
    const usage = wire && decodeUsage(wire);
    return usage ? [{ type: 'usage', usage }] : [];
  }
}

function blockIndex(event: JsonObject): number {
  return typeof event['index'] === 'number' ? event['index'] : 0;
}

function brokenOff(): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    "The provider's stream broke off before the answer was complete.",
  );
}

function spliced(): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    'The provider began another answer in the middle of this one.',
  );
}

function unreadable(): GatewayError {
  return new GatewayError('upstream_unavailable', "The provider's stream holds an event that is not JSON.");
}
