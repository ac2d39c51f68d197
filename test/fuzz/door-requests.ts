import { gzipSync } from 'node:zlib';
import type { DialectName } from '../../src/conversation/conversation.ts';
import { isObject, type JsonObject } from '../../src/conversation/json.ts';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { DIALECT_NAMES } from '../wire/crossing.ts';
import { nameForeign } from './foreign-names.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { mutateJson, writeOddly } from './mutate-json.ts';
import type { Random } from './random.ts';
import { type Seeds, seedsOf } from './seeds.ts';

export interface DoorRequest {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
  /** It names what another tenant has. */
  namesForeign?: boolean;
}

const SEEDS = new Map<DialectName, Seeds>(DIALECT_NAMES.map((name) => [name, seedsOf(name)]));

function requestOf(random: Random, dialect: DialectName): JsonObject {
  return random.pick(SEEDS.get(dialect)?.requests ?? []);
}

/** `lane`: the name of the providers that the call may go to. */
type MakeRequest = (random: Random, model: string, lane: string) => DoorRequest;

/** A door whose requests are JSON: `seed` gives a sound one. */
function jsonDoor(
  path: (random: Random, model: string) => string,
  seed: (random: Random) => JsonObject,
  { modelField = 'model', dialect }: { modelField?: string; dialect?: CallerDialectName } = {},
): MakeRequest {
  return (random, model) => {
    const sound = { ...seed(random), ...(modelField === '' ? {} : { [modelField]: model }) };
    const value = random.chance(0.3) ? sound : mutateJson(random, sound);
    // Most mutations keep the model: those without it end early.
    const kept =
      modelField !== '' && isObject(value) && random.chance(0.9) ? { ...value, [modelField]: model } : value;
    const namesForeign = dialect !== undefined && isObject(kept) && random.chance(0.15);
    const said = namesForeign ? nameForeign(random, dialect, kept) : kept;
    const text = Buffer.from(writeOddly(random, said));
    // A byte can make another word of the field, which names nothing then.
    const body = !namesForeign && random.chance(0.2) ? mutateBytes(random, text) : text;
    return withCoding(random, {
      namesForeign,
      method: 'POST',
      path: path(random, model),
      headers: oddHeaders(random),
      body,
    });
  };
}

function withCoding(random: Random, request: DoorRequest): DoorRequest {
  if (!request.body || !random.chance(0.04)) return request;
  const coding = random.pick(['gzip', 'gzip', 'deflate', 'br', 'identity', 'x-odd', '']);
  const zipped = gzipSync(request.body);
  const body = random.pick([zipped, zipped, mutateBytes(random, zipped), request.body]);
  return { ...request, body, headers: { ...request.headers, 'content-encoding': coding } };
}

function oddHeaders(random: Random): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (!random.chance(0.1)) return headers;
  return {
    ...headers,
    ...random.pick<Record<string, string>>([
      { 'content-type': 'text/plain' },
      { 'content-type': 'multipart/form-data' },
      { 'content-type': 'application/json; charset=utf-16' },
      { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'a,,b, ,\u00e9' },
      { 'anthropic-beta': 'x'.repeat(4_000) },
      { 'x-request-id': 'mine' },
      { accept: 'text/event-stream' },
      { 'accept-encoding': 'gzip, br' },
      { 'idempotency-key': 'k' },
      { 'x-fairlead-provider': 'nobody' },
      { authorization: 'Bearer sk-fl-nobody' },
    ]),
  };
}

const dialectDoor = (path: string, dialect: CallerDialectName): MakeRequest =>
  jsonDoor(
    () => path,
    (random) => requestOf(random, dialect),
    { dialect },
  );

const geminiDoor = (method: string, seed: (random: Random) => JsonObject): MakeRequest =>
  jsonDoor(
    (random, model) => `${random.pick(['/v1beta', '/v1', '/v1alpha'])}/models/${encodeURI(model)}${method}`,
    seed,
    { modelField: '', dialect: 'gemini' },
  );

const generation = (random: Random): JsonObject => requestOf(random, 'gemini');
const one: JsonObject = {
  content: { parts: [{ text: 'Hello' }] },
  taskType: 'RETRIEVAL_QUERY',
  outputDimensionality: 2,
};

function countable(random: Random): JsonObject {
  const { max_tokens: _, stream: __, ...body } = requestOf(random, 'messages');
  return body;
}

function fixed(path: string, ...bodies: JsonObject[]): MakeRequest {
  return jsonDoor(
    () => path,
    (random) => random.pick(bodies),
  );
}

/** A form with a file, written by hand so that its bytes can be spoilt. */
function formDoor(path: string, fields: Record<string, string>, content = 'RIFF'): MakeRequest {
  return (random, model, lane) => {
    const boundary = random.pick(['----a', 'x'.repeat(70), "a'b()", 'b']);
    const parts = Object.entries({ model, ...fields }).map(
      ([name, value]) =>
        `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
    const file = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n`;
    const pieces = random.chance(0.3) ? [file, ...parts] : [...parts, file];
    const text = random.chance(0.3)
      ? [...parts, file, 'x'.repeat(random.below(100_000)), `\r\n--${boundary}--\r\n`].join('')
      : `${pieces.join('')}${content}\r\n--${boundary}--\r\n`;
    const whole = Buffer.from(text);
    const type = random.chance(0.9)
      ? `multipart/form-data; boundary=${/^[\w-]+$/.test(boundary) ? boundary : `"${boundary}"`}`
      : random.pick([
          'multipart/form-data',
          'multipart/form-data; boundary=',
          'multipart/mixed; boundary=b',
          'application/json',
        ]);
    const body = random.chance(0.7) ? mutateBytes(random, whole) : whole;
    const headers = { ...oddHeaders(random), 'content-type': type };
    return { method: 'POST', path: path.replace('LANE', lane), headers, body };
  };
}

const BATCH_LINE = JSON.stringify({
  custom_id: 'a',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'gpt-4.1', messages: [{ role: 'user', content: 'Hi' }] },
});

/** Doors without a body, whose ids and queries are odd. */
function lookUp(random: Random, model: string): DoorRequest {
  const id = random.pick([
    'resp_1',
    'file-7',
    'batch_1',
    '%00',
    '..%2F..',
    'x'.repeat(500),
    '__proto__',
    '%F0%9F',
    'a b',
    model,
  ]);
  const query = random.pick([
    '',
    '',
    '?limit=1',
    '?limit=-1',
    '?limit=NaN&after=%00',
    '?order=up',
    '?alt=x',
    '?key=%FF',
    '?stream=true',
    '?purpose=%22',
  ]);
  const path = random.pick([
    `/v1/responses/${id}`,
    `/v1/responses/${id}/input_items`,
    `/v1/files/${id}`,
    `/v1/files/${id}/content`,
    '/v1/files',
    '/v1/batches',
    `/v1/batches/${id}`,
    `/v1/models/${id}`,
    '/v1/models',
    '/v1beta/models',
    `/v1beta/models/${id}`,
    `/v1beta/models/${id}:generateContent`,
    `/${id}`,
  ]);
  const method = random.pick(['GET', 'GET', 'DELETE', 'POST'] as const);
  return {
    method,
    path: encodeURI(path + query).replaceAll('%25', '%'),
    headers: oddHeaders(random),
    body: undefined,
  };
}

/** Every door, the large ones more than once. */
export const DOORS: readonly [name: string, make: MakeRequest][] = [
  ['chat', dialectDoor('/v1/chat/completions', 'chat')],
  ['chat', dialectDoor('/v1/chat/completions', 'chat')],
  ['chat', dialectDoor('/v1/chat/completions', 'chat')],
  ['responses', dialectDoor('/v1/responses', 'responses')],
  ['responses', dialectDoor('/v1/responses', 'responses')],
  ['responses', dialectDoor('/v1/responses', 'responses')],
  ['messages', dialectDoor('/v1/messages', 'messages')],
  ['messages', dialectDoor('/v1/messages', 'messages')],
  ['messages', dialectDoor('/v1/messages', 'messages')],
  ['gemini', geminiDoor(':generateContent', generation)],
  ['gemini', geminiDoor(':streamGenerateContent?alt=sse', generation)],
  ['gemini', geminiDoor(':streamGenerateContent', generation)],
  ['gemini count', geminiDoor(':countTokens', (random) => ({ generateContentRequest: generation(random) }))],
  ['gemini embed', geminiDoor(':embedContent', () => one)],
  [
    'gemini embed',
    geminiDoor(':batchEmbedContents', () => ({
      requests: [
        { model: 'models/m', ...one },
        { model: 'models/m', ...one },
      ],
    })),
  ],
  ['count_tokens', jsonDoor(() => '/v1/messages/count_tokens', countable, { dialect: 'messages' })],
  [
    'completions',
    fixed(
      '/v1/completions',
      { prompt: 'Once' },
      { prompt: ['Once'], stream: true, max_tokens: 5, stop: 'x', n: 2 },
    ),
  ],
  [
    'embeddings',
    fixed(
      '/v1/embeddings',
      { input: 'a' },
      { input: ['a', 'b'], dimensions: 2, encoding_format: 'base64' },
      { input: [[1, 2], [3]] },
    ),
  ],
  ['media', fixed('/v1/images/generations', { prompt: 'cat', n: 1, stream: true })],
  ['media', fixed('/v1/audio/speech', { input: 'Hi', voice: 'alloy', stream_format: 'sse' })],
  ['media', fixed('/v1/moderations', { input: ['bad'] })],
  ['media', fixed('/v1/rerank', { query: 'q', documents: ['a', 'b'] })],
  ['media', fixed('/v2/rerank', { query: 'q', documents: ['a', 'b'], top_n: 1 })],
  ['forms', formDoor('/v1/audio/transcriptions', { response_format: 'json', stream: 'true' })],
  ['forms', formDoor('/v1/audio/translations', {})],
  ['forms', formDoor('/v1/images/edits', { prompt: 'cat' })],
  ['forms', formDoor('/v1/images/variations', { n: '1' })],
  ['forms', formDoor('/v1/files?provider=openai-LANE', { purpose: 'batch' }, BATCH_LINE)],
  [
    'batches',
    fixed('/v1/batches', {
      input_file_id: 'file-1',
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    }),
  ],
  ['look-ups', lookUp],
];
