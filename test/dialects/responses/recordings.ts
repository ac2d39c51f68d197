import { isObject, type JsonObject, tryParseJson } from '../../../src/conversation/json.ts';
import type { StreamMessage } from '../../../src/dialects/dialect.ts';
import { EventReader } from '../../../src/upstream/event-reader.ts';
import { type Exchange, readExchanges, readRecordings, wireNames } from '../../support/wire.ts';

/** Everything in the recorded traffic that speaks this dialect, whichever file it stands in. */
export const exchanges: Exchange[] = wireNames('exchanges')
  .flatMap(readExchanges)
  .filter(({ url }) => /\/responses(\/resp_[^/]*)?(\?|$)/.test(url));

export const recordings = wireNames('streams')
  .flatMap(readRecordings)
  .filter(({ body, chunks }) =>
    chunks ? chunks.some((chunk) => typeOf(chunk).startsWith('response.')) : Array.isArray(body?.['output']),
  );

/** Bodies of creations, not of look-ups. */
export const requests = exchanges.flatMap(({ id, request }) =>
  isObject(request.body) ? [{ id, body: request.body }] : [],
);

export const answers: { id: string; body: JsonObject }[] = [
  ...exchanges.map(({ id, response }) => ({ id, body: response.body })),
  ...recordings.map(({ id, body }) => ({ id, body })),
].flatMap(({ id, body }) => (isObject(body) && body['object'] === 'response' ? [{ id, body }] : []));

export interface RecordedStream {
  id: string;
  messages: StreamMessage[];
}

export const streams: RecordedStream[] = [
  ...exchanges.flatMap(({ id, response }) =>
    response.status === 200 && typeof response.body === 'string'
      ? [{ id, messages: readEvents(response.body) }]
      : [],
  ),
  ...recordings.flatMap(({ id, chunks = [] }) =>
    responsesOf(chunks.map((data) => ({ data }))).map((messages) => ({ id, messages })),
  ),
];

/** Some recordings hold the streams of several turns, one behind the other. */
function responsesOf(messages: StreamMessage[]): StreamMessage[][] {
  const lists: StreamMessage[][] = [];
  for (const message of messages) {
    if (typeOf(message.data) === 'response.created') lists.push([]);
    lists.at(-1)?.push(message);
  }
  return lists;
}

export function readEvents(text: string): StreamMessage[] {
  const reader = new EventReader();
  return [...reader.push(Buffer.from(text)), ...reader.end()];
}

function typeOf(chunk: string): string {
  const event = tryParseJson(chunk);
  return isObject(event) ? String(event['type']) : '';
}
