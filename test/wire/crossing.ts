import { collectEvents } from '../../src/conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../src/conversation/completion.ts';
import type { Conversation, DialectName } from '../../src/conversation/conversation.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import type { CallerDialectName, Dialect, StreamMessage } from '../../src/dialects/dialect.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { EventReader } from '../../src/upstream/event-reader.ts';
import { decodeRequest as decodeConverse } from '../dialects/converse/decode-request.ts';
import type { RecordedCall } from './corpus.ts';

export const DIALECT_NAMES = Object.keys(DIALECTS) as DialectName[];

/** Models that take as much as their dialect can say. */
export const CROSSING_MODELS: Readonly<Record<DialectName, string>> = {
  chat: 'some-model',
  responses: 'some-model',
  messages: 'claude-sonnet-4-5',
  gemini: 'gemini-3.1-pro-preview',
  converse: 'anthropic.claude-sonnet-4-5',
};

/** Bedrock's Converse has no door: its requests and answers are read and written on one side only. */
export function isSpokenByCallers(name: DialectName): name is CallerDialectName {
  return name !== 'converse';
}

export function decodeRequest(
  name: DialectName,
  body: JsonObject,
  model: string,
  stream: boolean,
): Conversation {
  if (!isSpokenByCallers(name)) return decodeConverse(body, model);
  return DIALECTS[name].decodeRequest(body, name === 'gemini' ? { model, stream } : {});
}

/** What a call asks, once it was written and read in its own dialect. */
export function askedIn({ dialect, model, stream }: RecordedCall, asked: Conversation): Conversation {
  return decodeRequest(dialect, DIALECTS[dialect].encodeRequest(asked, model).body, model, stream);
}

export function decodeStream(name: DialectName, messages: readonly StreamMessage[]): CompletionEvent[] {
  const decoder = DIALECTS[name].streamDecoder();
  return [...messages.flatMap((message) => decoder.push(message)), ...decoder.end()];
}

/** The events that a client of the dialect reads from the stream that it is given of these. */
export function restream(
  dialect: Dialect,
  events: readonly CompletionEvent[],
  dropped: string[] = [],
): CompletionEvent[] {
  const encoder = dialect.streamEncoder({ includeUsage: true, dropped });
  const bytes = Buffer.from(events.map((event) => encoder.push(event)).join(''));
  const reader = new EventReader();
  return decodeStream(dialect.name, [...reader.push(bytes), ...reader.end()]);
}

/** An answer as a client of the dialect reads it. */
export function reanswer(dialect: Dialect, completion: Completion, dropped: string[] = []): Completion {
  return dialect.decodeResponse(dialect.encodeResponse(completion, undefined, dropped));
}

export function collect(events: readonly CompletionEvent[]): Completion {
  const { completion, error, ended } = collectEvents(events);
  if (error) throw error;
  if (!ended) throw new Error('the stream has no end');
  return completion;
}

/** An answer as it is recorded and read again in its own dialect, and as it comes back from another one's client, with what was named on the way. */
export function tellAndTellBack(
  call: RecordedCall,
  via: CallerDialectName,
): { before: Completion; after: Completion; dropped: string[] } {
  const dropped: string[] = [];
  const { dialect: from, answer, messages } = call;
  const other = DIALECTS[via];
  const own = isSpokenByCallers(from) ? DIALECTS[from] : undefined;
  if (messages) {
    const events = decodeStream(from, messages);
    const there = restream(other, events, dropped);
    return {
      before: collect(own ? restream(own, events) : events),
      after: collect(own ? restream(own, there, dropped) : there),
      dropped,
    };
  }
  const said = DIALECTS[from].decodeResponse(answer ?? null);
  const there = reanswer(other, said, dropped);
  const after = own ? reanswer(own, there, dropped) : there;
  return { before: own ? reanswer(own, said) : said, after, dropped };
}
