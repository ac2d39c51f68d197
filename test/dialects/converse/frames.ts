import { collectEvents } from '../../../src/conversation/collect.ts';
import type { CompletionEvent } from '../../../src/conversation/completion.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { converse } from '../../../src/dialects/converse/index.ts';
import type { StreamMessage } from '../../../src/dialects/dialect.ts';
import { AwsEventReader } from '../../../src/upstream/aws-event-reader.ts';

/** The messages of a stream's bytes, handed over in pieces of this many bytes. */
export function readFrames(bytes: Buffer, pieceBytes = bytes.length): StreamMessage[] {
  const reader = new AwsEventReader();
  const messages: StreamMessage[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    messages.push(...reader.push(bytes.subarray(at, at + pieceBytes)));
  }
  return [...messages, ...reader.end()];
}

/** `{ contentBlockDelta: { … } }`, the form that the SDK gives and some recordings are in. */
export function messageOf(event: JsonObject): StreamMessage {
  const [type = ''] = Object.keys(event);
  return { event: type, data: JSON.stringify(event[type]) };
}

export function decodeMessages(messages: readonly StreamMessage[]): CompletionEvent[] {
  const decoder = converse.streamDecoder();
  return [...messages.flatMap((message) => decoder.push(message)), ...decoder.end()];
}

export function collectMessages(messages: readonly StreamMessage[]): ReturnType<typeof collectEvents> {
  return collectEvents(decodeMessages(messages));
}

/** What the events of a stream, in the SDK's form, add up to. */
export function collectStream(events: readonly JsonObject[]): ReturnType<typeof collectEvents> {
  return collectMessages(events.map(messageOf));
}
