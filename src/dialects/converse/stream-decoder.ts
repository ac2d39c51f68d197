import type { CompletionEvent } from '../../conversation/completion.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, tryParseJson } from '../../conversation/json.ts';
import type { StreamDecoder, StreamMessage } from '../dialect.ts';
import { readFinishReason } from '../finish-reasons.ts';
import { unknownFields } from '../messages/fields.ts';
import { ToolUses } from '../messages/finish.ts';
import { isModelsCall } from './decode-blocks.ts';
import { decodeException } from './errors.ts';
import { extraOf, objectOf, textOf } from './fields.ts';
import { readStopSequence } from './response.ts';
import { impliedBlock, openBlock, type StreamBlock } from './stream-blocks.ts';
import { decodeUsage } from './usage.ts';

/** `p` is padding against traffic analysis. */
const STOP_FIELDS = new Set(['stopReason', 'p']);
const METADATA_FIELDS = new Set(['usage', 'p']);

/**
 * Reads one stream of a provider. Its messages are frames: `event` is the frame's `:event-type` or, for an exception,
 * its `:exception-type` (see `upstream/aws-event-reader.ts`). Events of unknown types are passed over.
 *
 * Source: Bedrock API reference (`ConverseStreamOutput`). The usage comes after the end of the message, in recordings of
 * some models before it, so the stream is over only once both have come or the connection ended.
 */
export class ConverseStreamDecoder implements StreamDecoder {
  readonly #handlers = new Map<string, (event: JsonObject) => CompletionEvent[]>([
    ['messageStart', () => this.#start()],
    ['contentBlockStart', (event) => this.#blockStart(event)],
    ['contentBlockDelta', (event) => this.#blockDelta(event)],
    ['contentBlockStop', (event) => this.#blockStop(event)],
    ['messageStop', (event) => this.#messageStop(event)],
    ['metadata', (event) => this.#metadata(event)],
  ]);
  /** Open blocks by their index on the wire. */
  readonly #blocks = new Map<number, StreamBlock>();
  readonly #toolUses = new ToolUses();
  #extra: JsonObject = {};
  #parts = 0;
  #hasStarted = false;
  #hasStopped = false;
  #hasMetadata = false;
  #isOver = false;

  push({ event: type = '', data }: StreamMessage): CompletionEvent[] {
    if (this.#isOver) return [];
    if (type === 'error' || type.endsWith('Exception')) return this.#fail(decodeException(type, data));
    const handle = this.#handlers.get(type);
    if (!handle) return [];
    const event = tryParseJson(data);
    if (!isObject(event)) return this.#fail(unreadable());
    return handle(event);
  }

  end(): CompletionEvent[] {
    if (this.#isOver) return [];
    return this.#hasStopped ? this.#finish() : this.#fail(brokenOff());
  }

  /** Streams without `messageStart` still need their first event. */
  #start(): CompletionEvent[] {
    if (this.#hasStarted) return [];
    this.#hasStarted = true;
    return [{ type: 'start', id: '', model: '' }];
  }

  #blockStart(event: JsonObject): CompletionEvent[] {
    const start = objectOf(event['start']);
    const { toolUse } = start;
    if (isObject(toolUse) && isModelsCall(toolUse)) this.#toolUses.add(textOf(toolUse['name']));
    return [...this.#start(), ...this.#open(blockIndex(event), openBlock(start, this.#parts++))];
  }

  #blockDelta(event: JsonObject): CompletionEvent[] {
    const delta = objectOf(event['delta']);
    const index = blockIndex(event);
    const open = this.#blocks.get(index);
    if (open) return open.delta(delta);
    const block = impliedBlock(delta, this.#parts++);
    return [...this.#start(), ...this.#open(index, block), ...block.delta(delta)];
  }

  #open(index: number, block: StreamBlock): CompletionEvent[] {
    const closing = this.#blocks.get(index)?.stop() ?? [];
    this.#blocks.set(index, block);
    return [...closing, ...block.start()];
  }

  #blockStop(event: JsonObject): CompletionEvent[] {
    const index = blockIndex(event);
    const block = this.#blocks.get(index);
    this.#blocks.delete(index);
    return block?.stop() ?? [];
  }

  #messageStop(event: JsonObject): CompletionEvent[] {
    if (this.#hasStopped) return [];
    this.#hasStopped = true;
    this.#keep(unknownFields(event, STOP_FIELDS));
    const closing = [...this.#blocks.values()].flatMap((block) => block.stop());
    this.#blocks.clear();
    const stopSequence = readStopSequence(event['additionalModelResponseFields']);
    return [
      ...this.#start(),
      ...closing,
      {
        type: 'finish',
        choice: 0,
        reason: this.#toolUses.finish(readFinishReason('converse', textOf(event['stopReason']))),
        ...(stopSequence === undefined ? {} : { stopSequence }),
      },
      ...(this.#hasMetadata ? this.#finish() : []),
    ];
  }

  #metadata(event: JsonObject): CompletionEvent[] {
    this.#hasMetadata = true;
    this.#keep(unknownFields(event, METADATA_FIELDS));
    const usage = isObject(event['usage']) ? decodeUsage(event['usage'], event) : undefined;
    return [
      ...this.#start(),
      ...(usage ? [{ type: 'usage', usage } as const] : []),
      ...(this.#hasStopped ? this.#finish() : []),
    ];
  }

  #keep(fields: JsonObject): void {
    this.#extra = { ...this.#extra, ...fields };
  }

  #finish(): CompletionEvent[] {
    this.#isOver = true;
    return [{ type: 'end', ...extraOf(this.#extra) }];
  }

  #fail(error: GatewayError): CompletionEvent[] {
    this.#isOver = true;
    return [{ type: 'error', error }];
  }
}

function blockIndex(event: JsonObject): number {
  return typeof event['contentBlockIndex'] === 'number' ? event['contentBlockIndex'] : 0;
}

function unreadable(): GatewayError {
  return new GatewayError('upstream_unavailable', 'The provider sent an event that is not valid JSON.');
}

function brokenOff(): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    "The provider's stream broke off before the answer was complete.",
  );
}
