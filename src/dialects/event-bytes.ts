import { isObject, type JsonValue, tryParseJson } from '../conversation/json.ts';

/** Reading server-sent events without taking their bytes apart. Source: WHATWG HTML, "Server-sent events". */

const LINE_END = /\r\n|\n/;

/** Cuts whole events apart, each with the blank line that ends it. */
export function* splitEvents(events: Buffer): Generator<Buffer> {
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

const BYTE_ORDER_MARK = '\uFEFF';

/** A stream may begin with a byte order mark, which means nothing. */
function linesOf(event: string): string[] {
  return (event.startsWith(BYTE_ORDER_MARK) ? event.slice(1) : event).split(LINE_END);
}

/** The event with other data. */
export function withData(event: string, data: string): string {
  const lines = linesOf(event).filter((line) => line !== '' && !line.startsWith('data:'));
  return `${[...lines, ...data.split('\n').map((line) => `data: ${line}`)].join('\n')}\n\n`;
}

/** The events before the one that tells of a failure or cannot be read; where none does, it is the last of them that is out of place. */
export function beforeFailure(bytes: Buffer): Buffer {
  const events = [...splitEvents(bytes)];
  const at = events.findIndex((event) => {
    const text = event.toString('utf8');
    const data = eventField(text, 'data');
    if (eventField(text, 'event') === 'error') return true;
    return data !== undefined && data !== '' && tellsFailure(tryParseJson(data));
  });
  return Buffer.concat(events.slice(0, at));
}

/** In the forms of all dialects: `error` in the event, in a choice of it or in its response, or the event's type. */
function tellsFailure(value: JsonValue | undefined): boolean {
  if (!isObject(value)) return true;
  const { error, type, response, choices } = value;
  if (error || type === 'error' || type === 'response.failed') return true;
  if (isObject(response) && response['error']) return true;
  return Array.isArray(choices) && choices.some((choice) => isObject(choice) && Boolean(choice['error']));
}

/** The value of a field of an event, its lines joined; `undefined` where the event has no such field. */
export function eventField(event: string, name: 'data' | 'event'): string | undefined {
  const start = `${name}:`;
  const lines = linesOf(event).filter((line) => line.startsWith(start));
  if (lines.length === 0) return undefined;
  return lines
    .map((line) => line.slice(start.length))
    .join('\n')
    .trim();
}
