import type { DialectName } from '../../src/conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import type { StreamMessage } from '../../src/dialects/dialect.ts';
import { EventReader } from '../../src/upstream/event-reader.ts';
import { messageOf, readFrames } from '../dialects/converse/frames.ts';
import { objectsOf } from '../support/values.ts';
import { type Exchange, type Recording, readExchanges, readRecordings, wireNames } from '../support/wire.ts';

/** A call that is recorded in one of our dialects, with what of it is recorded. */
export interface RecordedCall {
  /** `exchanges/NAME` or `streams/NAME`. */
  file: string;
  id: string;
  dialect: DialectName;
  /** The model that it asks for; of a recording without a request the one that answered. */
  model: string;
  request?: JsonObject;
  stream: boolean;
  /** The body of an answer of status 200. */
  answer?: JsonObject;
  /** What a stream of status 200 says. */
  messages?: StreamMessage[];
  /** Any other answer. */
  refusal?: { status: number; body: JsonValue };
}

/** What a line of the recorded traffic is to us. */
export type Sorted =
  | { kind: 'call'; calls: RecordedCall[] }
  /** Embeddings, counts and other calls that do not generate, which a test of their own reads. */
  | { kind: 'read_elsewhere'; where: string }
  | { kind: 'not_ours'; reason: string };

export interface SortedLine {
  /** `exchanges/NAME` or `streams/NAME`. */
  file: string;
  id: string;
  sorted: Sorted | undefined;
}

/** Every line of every file in both folders; `sorted` is missing where no row knows it. */
export function sortEverything(): SortedLine[] {
  return [
    ...wireNames('exchanges').flatMap((name) =>
      readExchanges(name).map((exchange) => {
        const file = `exchanges/${name}`;
        return { file, id: exchange.id, sorted: sortExchange(file, exchange) };
      }),
    ),
    ...wireNames('streams').flatMap((name) =>
      readRecordings(name).map((recording) => {
        const file = `streams/${name}`;
        return { file, id: recording.id, sorted: sortRecording(file, recording) };
      }),
    ),
  ];
}

export function recordedCalls(): RecordedCall[] {
  return sortEverything().flatMap(({ sorted }) => (sorted?.kind === 'call' ? sorted.calls : []));
}

/** The URLs of calls that generate, and the dialect that they are in. */
const GENERATIONS: readonly [url: RegExp, dialect: DialectName][] = [
  [/\/chat\/completions(#stream)?$/, 'chat'],
  [/\/responses(\/resp_[^/]*)?(\?.*)?$/, 'responses'],
  [/api\.anthropic\.com\/v1\/messages(\?.*)?$/, 'messages'],
  [/\/model\/[^/]*anthropic[^/]*\/invoke$/, 'messages'],
  [/:(generateContent|streamGenerateContent)(\?.*)?$/, 'gemini'],
  [/\/model\/[^/]+\/converse(-stream)?$/, 'converse'],
];

const OTHER_OPERATIONS = 'test/wire/other-operations.test.ts';

/** The rest. A row that no line needs any more fails the test. */
export const OTHER_EXCHANGES: readonly { of: RegExp; sorted: Sorted }[] = [
  { of: /\/v1\/embeddings$/, sorted: elsewhere(OTHER_OPERATIONS) },
  { of: /:(batchEmbedContents|embedContent)$/, sorted: elsewhere(OTHER_OPERATIONS) },
  { of: /:countTokens$/, sorted: elsewhere(OTHER_OPERATIONS) },
  { of: /\/messages\/count_tokens$/, sorted: elsewhere(OTHER_OPERATIONS) },
  { of: /openai\.com\/v1\/files/, sorted: notOurs('objects of one provider: they are relayed as they are') },
  { of: /\/v1\/(conversations|vector_stores)/, sorted: notOurs('objects that only OpenAI keeps') },
  { of: /\/(fileSearchStores|cachedContents)/, sorted: notOurs('objects that only Google keeps') },
  { of: /\/responses\/compact$/, sorted: notOurs('the gateway has no door for compaction') },
  { of: /\/responses\/input_tokens$/, sorted: notOurs('the gateway has no door for such counts') },
  { of: /\/realtime\//, sorted: notOurs('sessions over WebRTC are no calls') },
  { of: /cohere\.com\/v[12]\//, sorted: notOurs("Cohere's own API; we speak its Compatibility API") },
  { of: /\/model\/[^/]+\/invoke$/, sorted: notOurs("embeddings in the own words of a model's maker") },
  { of: /\/count-tokens$/, sorted: notOurs('Bedrock is not asked for counts: the gateway counts') },
  { of: /:predict$/, sorted: notOurs("Vertex AI's older form of embeddings") },
];

/** Recordings by `streams/FILE/ID api`, where what they hold is not in a dialect of generations. */
export const OTHER_RECORDINGS: readonly { of: RegExp; sorted: Sorted }[] = [
  { of: / (completion|embedding)$/, sorted: elsewhere(OTHER_OPERATIONS) },
  { of: / image$/, sorted: notOurs('images are relayed as they are') },
  { of: /transcription/, sorted: notOurs('speech to text is relayed as it is') },
  { of: / speech-translation$/, sorted: notOurs('sessions over WebRTC are no calls') },
  { of: / skills$/, sorted: notOurs('skills are objects that only Anthropic keeps') },
  { of: / interactions$/, sorted: notOurs("Google's interactions are no dialect of ours") },
  { of: /^streams\/cohere\//, sorted: notOurs("Cohere's own API; we speak its Compatibility API") },
  { of: /^streams\/google-vertex\//, sorted: notOurs("Vertex AI's older form of embeddings") },
];

function elsewhere(where: string): Sorted {
  return { kind: 'read_elsewhere', where };
}

function notOurs(reason: string): Sorted {
  return { kind: 'not_ours', reason };
}

function sortExchange(file: string, exchange: Exchange): Sorted | undefined {
  const url = exchange.url.replace(/[?#].*/, '');
  const dialect = GENERATIONS.find(([pattern]) => pattern.test(url))?.[1];
  if (dialect) return { kind: 'call', calls: [callOf(file, dialect, url, exchange)] };
  return OTHER_EXCHANGES.find(({ of }) => of.test(url))?.sorted;
}

function callOf(file: string, dialect: DialectName, url: string, exchange: Exchange): RecordedCall {
  const { id, response } = exchange;
  const request = objectOf(exchange.request.body);
  const answer = objectOf(response.body);
  const [, named] =
    // With its publisher, as the codec is told it at Vertex AI.
    /\/(publishers\/google\/models\/[^/:]+):/.exec(url) ??
    /\/models?\/([^/:]+(?:%3A\d+|:\d+)?)[/:]/.exec(url) ??
    [];
  const model = decodeURIComponent(named ?? String(request?.['model'] ?? answer?.['model'] ?? ''));
  const call: RecordedCall = { file, id, dialect, model, stream: false };
  // Where the URL alone names the model, as in Bedrock and Vertex AI.
  if (request) call.request = dialect === 'messages' && named ? { ...request, model } : request;
  if (response.status !== 200) return { ...call, refusal: { status: response.status, body: response.body } };
  const messages = streamOf(response.body);
  if (messages) return { ...call, stream: true, messages };
  return answer ? { ...call, answer } : call;
}

/** Some recordings hold JSON bodies as text. */
function objectOf(body: JsonValue): JsonObject | undefined {
  const value = typeof body === 'string' ? tryParseJson(body) : body;
  return isObject(value) && value['base64'] === undefined ? value : undefined;
}

function streamOf(body: JsonValue): StreamMessage[] | undefined {
  if (isObject(body) && typeof body['base64'] === 'string')
    return readFrames(Buffer.from(body['base64'], 'base64'));
  if (typeof body !== 'string' || !/^(data|event|:)/m.test(body)) return undefined;
  const reader = new EventReader();
  return [...reader.push(Buffer.from(body)), ...reader.end()];
}

function sortRecording(file: string, recording: Recording): Sorted | undefined {
  const { id, api, body, chunks } = recording;
  const name = `${file}/${id} ${api}`;
  const other = OTHER_RECORDINGS.find(({ of }) => of.test(name));
  if (other) return other.sorted;
  if (body) {
    const dialect = isObject(body['error']) ? (api as DialectName) : dialectOfAnswer(body);
    if (!dialect) return undefined;
    const call: RecordedCall = { file, id, dialect, model: modelOf(body), stream: false };
    const isRefusal = isObject(body['error']) && body['object'] === undefined;
    return {
      kind: 'call',
      calls: [isRefusal ? { ...call, refusal: { status: 400, body } } : { ...call, answer: body }],
    };
  }
  const events = (chunks ?? []).map((chunk) => tryParseJson(chunk)).filter(isObject);
  const dialect = dialectOfEvents(events);
  if (!dialect) return undefined;
  const messages = (chunks ?? []).map((data) => {
    const event = tryParseJson(data);
    return dialect === 'converse' && isObject(event) ? messageOf(event) : { data };
  });
  const calls = splitTurns(messages).map((turn, index) => ({
    file,
    id: index === 0 ? id : `${id} (${index})`,
    dialect,
    model: events.map(modelOf).find((model) => model !== '') ?? '',
    stream: true,
    messages: turn,
  }));
  return { kind: 'call', calls };
}

function modelOf(body: JsonObject): string {
  const { message, response } = body;
  const inner = [message, response].find(isObject);
  return String(body['model'] ?? body['modelVersion'] ?? inner?.['model'] ?? '');
}

function dialectOfAnswer(body: JsonObject): DialectName | undefined {
  if (Array.isArray(body['choices'])) return 'chat';
  if (Array.isArray(body['output'])) return 'responses';
  if (body['type'] === 'message') return 'messages';
  if (Array.isArray(body['candidates'])) return 'gemini';
  return isObject(body['output']) && body['stopReason'] !== undefined ? 'converse' : undefined;
}

function dialectOfEvents(events: readonly JsonObject[]): DialectName | undefined {
  const types = events.map(({ type }) => String(type));
  if (types.some((type) => type.startsWith('response.'))) return 'responses';
  if (types.includes('message_start')) return 'messages';
  if (events.some(({ choices }) => objectsOf(choices).some(({ delta }) => isObject(delta)))) return 'chat';
  if (events.some(({ candidates }) => Array.isArray(candidates))) return 'gemini';
  return events.some((event) => isObject(event['messageStop'])) ? 'converse' : undefined;
}

const FIRST_EVENTS = new Set<JsonValue | undefined>(['message_start', 'response.created']);

/** Some recordings hold the streams of several turns, one behind the other. */
function splitTurns(messages: readonly StreamMessage[]): StreamMessage[][] {
  const turns: StreamMessage[][] = [];
  let previous: JsonValue | undefined;
  for (const message of messages) {
    const event = tryParseJson(message.data);
    const type = isObject(event) ? event['type'] : undefined;
    // One recording says its start twice.
    if (turns.length === 0 || (FIRST_EVENTS.has(type) && type !== previous)) turns.push([]);
    turns.at(-1)?.push(message);
    previous = type;
  }
  return turns;
}
