import {
  type CompletionCollector,
  collectEvents,
  completionEvents,
} from '../../../src/conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../../src/conversation/completion.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { readEvents } from './sdk-oracle.ts';

/** The events that the `data:` payloads of a stream decode to. */
export function decodeEvents(chunks: readonly (string | JsonObject)[]): CompletionEvent[] {
  const decoder = messages.streamDecoder();
  const events = chunks.flatMap((chunk) =>
    decoder.push({ data: typeof chunk === 'string' ? chunk : JSON.stringify(chunk) }),
  );
  return [...events, ...decoder.end()];
}

export function decodeStream(chunks: readonly (string | JsonObject)[]): CompletionCollector {
  return collectEvents(decodeEvents(chunks));
}

/** The bytes of a stream that the events are encoded to. */
export function encodeEvents(events: Iterable<CompletionEvent>): string {
  const encoder = messages.streamEncoder({ includeUsage: true });
  let bytes = '';
  for (const event of events) bytes += encoder.push(event);
  return bytes;
}

/** A completion encoded to a stream and decoded again. */
export function restream(completion: Completion): CompletionEvent[] {
  return decodeEvents(readEvents(encodeEvents(completionEvents(completion))));
}

/** `[event, data]` of each server-sent event. */
export function framesOf(bytes: string): [string, JsonObject][] {
  return bytes
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => {
      const [event = '', data = ''] = frame.split('\n');
      return [event.replace('event: ', ''), JSON.parse(data.replace('data: ', ''))];
    });
}
