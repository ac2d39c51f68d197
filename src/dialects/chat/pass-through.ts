import type { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import type { PassThrough, PrepareOptions, ScanOptions, StreamScanner } from '../pass-through.ts';
import { type FieldSpans, parseField, spliceBody } from '../request-fields.ts';
import { embeddedError } from './errors.ts';
import { decodeUsage } from './usage.ts';

/** Chat Completions between two sides that both speak it. */
export const passThrough: PassThrough = {
  fields: new Set(['model', 'stream', 'stream_options']),
  prepareRequest,
  readUsage,
  streamScanner: (options) => new ChatStreamScanner(options),
};

function prepareRequest(body: Buffer, spans: FieldSpans, options: PrepareOptions): Buffer {
  const { model, stream_options: streamOptions } = spans;
  const edits: { span: { start: number; end: number }; text: string }[] = [];
  if (model) edits.push({ span: model, text: JSON.stringify(options.model) });
  if (options.stream) {
    const asked = streamOptions ? parseField(body, streamOptions, 'stream_options') : undefined;
    const text = JSON.stringify({ ...(isObject(asked) ? asked : {}), include_usage: true });
    if (streamOptions) {
      edits.push({ span: streamOptions, text });
    } else {
      const first = body.indexOf('{') + 1;
      edits.push({ span: { start: first, end: first }, text: `"stream_options":${text},` });
    }
  }
  edits.sort((a, b) => a.span.start - b.span.start);
  return spliceBody(body, edits);
}

const USAGE_KEY = Buffer.from('"usage"');
const FINISH_KEY = Buffer.from('"finish_reason"');
const ERROR_EVENT = Buffer.from('{"error"');
const CHOICES_KEY = Buffer.from('"choices"');
const DONE = Buffer.from('[DONE]');
const DONE_EVENT = 'data: [DONE]\n\n';

/** A chunk that ends the stream is its last event; this is how far from the end it is looked for. */
const DONE_WINDOW = 24;

function readUsage(body: Buffer): Usage | undefined {
  // Inside a JSON string the quotes of a key are escaped, so this finds keys only. The last one is the answer's own.
  for (
    let at = body.lastIndexOf(USAGE_KEY);
    at !== -1;
    at = at > 0 ? body.lastIndexOf(USAGE_KEY, at - 1) : -1
  ) {
    const value = readObject(body, at + USAGE_KEY.length);
    if (value && ('prompt_tokens' in value || 'total_tokens' in value)) return decodeUsage(value);
  }
  return undefined;
}

/** The object behind a key, parsed; `undefined` where something else (null) stands there. */
function readObject(body: Buffer, keyEnd: number): JsonObject | undefined {
  const start = valueStart(body, keyEnd);
  if (body[start] !== 0x7b) return undefined;
  let depth = 0;
  let inString = false;
  for (let at = start; at < body.length; at++) {
    const byte = body[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b) depth++;
    else if (byte === 0x7d && --depth === 0) {
      const value = tryParseJson(body.toString('utf8', start, at + 1));
      return isObject(value) ? value : undefined;
    }
  }
  return undefined;
}

/** Behind a key: the first byte of its value. */
function valueStart(body: Buffer, keyEnd: number): number {
  let at = keyEnd;
  while (body[at] === 0x20 || body[at] === 0x3a) at++;
  return at;
}

class ChatStreamScanner implements StreamScanner {
  usage: Usage | undefined;
  hasOutput = false;
  finished = false;
  terminated = false;
  failure: GatewayError | undefined;
  outputEvents = 0;
  readonly #hideUsage: boolean;

  constructor(options: ScanOptions) {
    this.#hideUsage = options.hideUsage;
  }

  scan(events: Buffer): Buffer {
    this.outputEvents += countEvents(events);
    if (!this.hasOutput || events.includes(ERROR_EVENT)) return this.#scanEvents(events);
    if (!this.finished) this.finished = hasValue(events, FINISH_KEY, 0x22);
    if (hasValue(events, USAGE_KEY, 0x7b)) return this.#scanEvents(events);
    if (events.indexOf(DONE, Math.max(0, events.length - DONE_WINDOW)) !== -1)
      return this.#scanEvents(events);
    return events;
  }

  isWholeEvent(rest: Buffer): boolean {
    const data = eventData(rest.toString('utf8'));
    return data === '[DONE]' || (data !== undefined && tryParseJson(data) !== undefined);
  }

  closing(): string {
    return this.terminated ? '' : DONE_EVENT;
  }

  /** The thorough way, event by event: while it is not known yet what the stream is, and where something was found. */
  #scanEvents(events: Buffer): Buffer {
    const kept: Buffer[] = [];
    let hidden = false;
    for (const event of splitEvents(events)) {
      if (this.#isHidden(event)) hidden = true;
      else kept.push(event);
    }
    return hidden ? Buffer.concat(kept) : events;
  }

  #isHidden(event: Buffer): boolean {
    const data = eventData(event.toString('utf8'));
    if (data === undefined) return false;
    if (data === '[DONE]') {
      this.terminated = true;
      // Some servers never say a finish reason and end with [DONE] alone.
      this.finished = true;
      return false;
    }
    const chunk = tryParseJson(data);
    if (!isObject(chunk)) return false;
    if (chunk['error'] !== undefined && chunk['error'] !== null) {
      this.failure = embeddedError(chunk);
      return false;
    }
    const usage = decodeUsage(chunk['usage']);
    if (usage) this.usage = usage;
    const choices = Array.isArray(chunk['choices']) ? chunk['choices'] : [];
    for (const choice of choices) {
      if (!isObject(choice)) continue;
      if (typeof choice['finish_reason'] === 'string' && choice['finish_reason'] !== '') this.finished = true;
      if (this.finished || saysSomething(choice['delta'])) this.hasOutput = true;
    }
    return this.#hideUsage && usage !== undefined && choices.length === 0;
  }
}

/** A delta that holds more than the role: text, reasoning, a tool call, audio, whatever a server may invent. */
function saysSomething(delta: JsonValue | undefined): boolean {
  if (!isObject(delta)) return false;
  return Object.entries(delta).some(
    ([key, value]) =>
      key !== 'role' && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
  );
}

/** Whether any occurrence of the key has a value that begins with `first`. */
function hasValue(events: Buffer, key: Buffer, first: number): boolean {
  for (let at = events.indexOf(key); at !== -1; at = events.indexOf(key, at + key.length)) {
    if (events[valueStart(events, at + key.length)] === first) return true;
  }
  return false;
}

/** A burst brings several events at once. */
function countEvents(events: Buffer): number {
  let count = 0;
  for (
    let at = events.indexOf(CHOICES_KEY);
    at !== -1;
    at = events.indexOf(CHOICES_KEY, at + CHOICES_KEY.length)
  )
    count++;
  return count;
}

/** Cuts whole events apart, each with the blank line that ends it. */
function* splitEvents(events: Buffer): Generator<Buffer> {
  let from = 0;
  while (from < events.length) {
    const end = endOfFirstEvent(events, from);
    yield events.subarray(from, end);
    from = end;
  }
}

function endOfFirstEvent(events: Buffer, from: number): number {
  for (let at = events.indexOf(0x0a, from); at !== -1; at = events.indexOf(0x0a, at + 1)) {
    if (events[at + 1] === 0x0a) return at + 2;
    if (events[at + 1] === 0x0d && events[at + 2] === 0x0a) return at + 3;
  }
  return events.length;
}

function eventData(event: string): string | undefined {
  const lines = event.split(/\r\n|\n/).filter((line) => line.startsWith('data:'));
  if (lines.length === 0) return undefined;
  return lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n');
}
