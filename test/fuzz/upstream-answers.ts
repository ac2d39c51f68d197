import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { collectEvents } from '../../src/conversation/collect.ts';
import type { DialectName } from '../../src/conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../src/conversation/json.ts';
import type { StreamMessage } from '../../src/dialects/dialect.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';
import { writeFrame } from '../support/bedrock/frames.ts';
import { DIALECT_NAMES, decodeStream } from '../wire/crossing.ts';
import { cutAnywhere, mutateBytes } from './mutate-bytes.ts';
import { mutateJson, writeOddly } from './mutate-json.ts';
import { mutateStream } from './mutate-stream.ts';
import type { Random } from './random.ts';
import { type Seeds, seedsOf } from './seeds.ts';

/** Answers that are whole and sound, by the dialect that they are in. */
const SOUND = new Map<DialectName, Seeds>(DIALECT_NAMES.map((name) => [name, soundSeeds(name)]));

/** Some recordings are of answers that went wrong, which the gateway tells as what they are. */
function soundSeeds(name: DialectName): Seeds {
  const { requests, answers, streams } = seedsOf(name);
  return {
    requests,
    answers: answers.filter((answer) => succeeds(() => DIALECTS[name].decodeResponse(answer))),
    streams: streams.filter((stream) => collectEvents(decodeStream(name, stream)).ended),
  };
}

function succeeds(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}

/** At Vertex AI and Bedrock a count is asked for as what is counted is, but for a word. */
const COUNT = /count[_-]?tokens/i;

/** What a request to a provider asks for, as its path tells. */
const ASKED: readonly [path: RegExp, dialect: DialectName | 'other'][] = [
  [COUNT, 'other'],
  [/\/chat\/completions/, 'chat'],
  [/\/responses$/, 'responses'],
  [/\/messages$|:(streamR|r)awPredict/, 'messages'],
  [/:(streamG|g)enerateContent/, 'gemini'],
  [/\/converse(-stream)?$/, 'converse'],
  [/./, 'other'],
];

interface Answer {
  status: number;
  type: string;
  bytes: Buffer;
  headers?: Record<string, string>;
}

/**
 * Answers a request: soundly, or with what is wrong with providers.
 *
 * @returns whether it is sound; to what is not the gateway may answer with an error of the provider
 */
export function answerAtRandom(
  random: Random,
  response: ServerResponse,
  path: string,
  body: string,
): boolean {
  const asked = ASKED.find(([pattern]) => pattern.test(path.replace(/\?.*/, '')))?.[1] ?? 'other';
  const saysStream = asked !== 'gemini' && asked !== 'converse' && /"stream"\s*:\s*true/.test(body);
  const isStream = saysStream || /stream(G|R)|converse-stream/.test(path);
  const sound = random.chance(0.35);
  const answer =
    asked === 'other' ? otherAnswer(random, path, body, isStream) : madeOf(random, asked, isStream, sound);
  if (sound) void sendBytes(random, response, answer);
  else random.pick(WRONGS)(random, response, answer);
  return sound;
}

function madeOf(random: Random, dialect: DialectName, isStream: boolean, sound: boolean): Answer {
  const seeds = SOUND.get(dialect);
  if (!seeds) throw new Error(`there are no answers in ${dialect}`);
  if (!isStream) {
    const answer = random.pick(seeds.answers);
    const text = sound ? JSON.stringify(answer) : writeOddly(random, mutateJson(random, answer));
    return { status: 200, type: 'application/json', bytes: Buffer.from(text) };
  }
  const stream = random.pick(seeds.streams);
  const messages = sound ? stream : mutateStream(random, stream);
  if (dialect === 'converse') {
    const bytes = Buffer.concat(messages.map((message) => frameOf(random, message, sound)));
    return { status: 200, type: 'application/vnd.amazon.eventstream', bytes };
  }
  const bytes = Buffer.from(messages.map((message) => eventOf(random, dialect, message, sound)).join(''));
  return { status: 200, type: 'text/event-stream', bytes };
}

function eventOf(
  random: Random,
  dialect: DialectName,
  { event, data }: StreamMessage,
  sound: boolean,
): string {
  const type = event ?? (dialect === 'messages' || dialect === 'responses' ? typeOf(data) : undefined);
  const text = `${type === undefined ? '' : `event: ${type}\n`}data: ${data}\n\n`;
  if (sound || !random.chance(0.1)) return text;
  return random.pick([
    () => text.replaceAll('\n', '\r\n'),
    () => text.replaceAll('\n', '\r'),
    () => `: comment\n\nid: 7\nretry: x\n${text}`,
    () => text.replace('data: ', 'data:'),
    () => text.replace(/,/, ',\ndata: '),
    () => text.trimEnd(),
    () => `${text}\n\n\n`,
  ])();
}

function typeOf(data: string): string | undefined {
  const event = tryParseJson(data);
  const type = isObject(event) ? event['type'] : undefined;
  return typeof type === 'string' ? type.replaceAll(/[\r\n]/g, ' ') : undefined;
}

function frameOf(random: Random, { event = '', data }: StreamMessage, sound: boolean): Buffer {
  const headers = { ':event-type': event, ':content-type': 'application/json', ':message-type': 'event' };
  const frame = writeFrame(headers, data);
  if (sound || !random.chance(0.05)) return frame;
  // A wrong checksum, length, header or payload.
  const at = random.pick([0, 3, 8, 11, 14, frame.length - 1, random.below(frame.length)]);
  frame[at] = (frame[at] ?? 0) ^ (1 + random.below(255));
  return frame;
}

/** What chat has no word for (tokens for a prompt, `echo`, …) is asked in the form of text completions. */
const COMPLETION: JsonObject = {
  id: 'cmpl-1',
  object: 'text_completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, text: 'upon a time', finish_reason: 'stop', logprobs: null }],
};
const COMPLETION_STREAM: Answer = {
  status: 200,
  type: 'text/event-stream',
  bytes: Buffer.from(`data: ${JSON.stringify(COMPLETION)}\n\ndata: [DONE]\n\n`),
};

/** What is only relayed, or has one number for an answer. */
function otherAnswer(random: Random, path: string, body: string, isStream: boolean): Answer {
  const json = (value: JsonValue): Answer => ({
    status: 200,
    type: 'application/json',
    bytes: Buffer.from(JSON.stringify(value)),
  });
  if (/embeddings|mbedContent/.test(path)) {
    const vectors = Array.from({ length: countInputs(body) }, () => [0.5, -1]);
    const data = vectors.map((embedding, index) => ({ object: 'embedding', index, embedding }));
    return json({
      object: 'list',
      model: 'm',
      data,
      embeddings: vectors.map((values) => ({ values })),
      embedding: { values: [1] },
    });
  }
  if (/\/completions/.test(path)) return isStream ? COMPLETION_STREAM : json(COMPLETION);
  if (COUNT.test(path)) return json({ input_tokens: 7, totalTokens: 7, inputTokens: 7 });
  if (/speech/.test(path))
    return { status: 200, type: 'audio/mpeg', bytes: Buffer.alloc(random.below(20_000), 7) };
  const object: JsonObject = {
    id: `file-${random.below(50)}`,
    object: 'file',
    bytes: 3,
    created_at: 1,
    purpose: 'batch',
    status: 'processed',
  };
  return json({ ...object, created: 1, data: [], results: [], text: 'heard', usage: { total_tokens: 3 } });
}

function countInputs(body: string): number {
  const asked = tryParseJson(body);
  const { input, requests } = isObject(asked) ? asked : {};
  const inputs = requests ?? input;
  return Array.isArray(inputs) && typeof inputs[0] !== 'number' ? inputs.length : 1;
}

/** Providers quote it in their errors. */
export const PROVIDER_KEY = 'sk-provider-key-of-the-fuzz-000000';

const ERROR_BODIES: readonly string[] = [
  `{"error":{"message":"Incorrect API key provided: ${PROVIDER_KEY}.","code":"bad_key"}}`,
  `{"message":"The token Bearer ${PROVIDER_KEY} is not known here"}`,
  `Bad key ${PROVIDER_KEY}`,
  '',
  'null',
  '[]',
  '{"error":{"message":"no","type":"invalid_request_error","code":"bad","param":"messages[0]"}}',
  '{"error":"no"}',
  '{"error":{}}',
  '{"error":{"message":{"deep":1},"code":7,"status":"INVALID_ARGUMENT","details":[null,{"@type":"x","retryDelay":"9999999999s"}]}}',
  '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}',
  '{"message":"Too many","__type":"ThrottlingException"}',
  '[{"error":{"code":429,"message":"slow"}}]',
  '<html><body>Bad gateway</body></html>',
  '\u0000\u0001',
  `{"error":{"message":"${'x'.repeat(100_000)}"}}`,
];

type Wrong = (random: Random, response: ServerResponse, answer: Answer) => unknown;

const WRONGS: readonly Wrong[] = [
  asItIs,
  asItIs,
  asItIs,
  asItIs,
  (random, response, answer) =>
    sendBytes(random, response, { ...answer, bytes: mutateBytes(random, answer.bytes) }),
  (random, response, answer) =>
    sendBytes(random, response, { ...answer, bytes: mutateBytes(random, answer.bytes) }),
  (random, response, answer) =>
    sendBytes(random, response, {
      ...answer,
      type: random.pick([
        '',
        'text/plain',
        'text/html',
        'application/json',
        'text/event-stream',
        'a/b; charset=\u00ff',
      ]),
    }),
  function refuse(random, response) {
    const status = random.pick([400, 401, 403, 404, 408, 409, 413, 422, 429, 499, 500, 502, 503, 504, 529]);
    const headers = {
      'retry-after': random.pick(['1', '0', '-5', 'soon', 'Wed, 21 Oct 2015 07:28:00 GMT', '99999999999']),
    };
    return sendBytes(random, response, {
      status,
      type: 'application/json',
      bytes: Buffer.from(random.pick(ERROR_BODIES)),
      headers,
    });
  },
  function oddStatus(random, response, answer) {
    return sendBytes(random, response, {
      ...answer,
      status: random.pick([201, 202, 206, 301, 302, 307, 418, 599]),
    });
  },
  (_random, response) => response.writeHead(204).end(),
  function compressed(random, response, answer) {
    const whole = gzipSync(answer.bytes);
    const bytes = random.pick([
      whole,
      whole.subarray(0, whole.length / 2),
      mutateBytes(random, whole),
      answer.bytes,
    ]);
    const headers = {
      'content-encoding': random.pick(['gzip', 'gzip', 'br', 'deflate', 'identity', 'rot13']),
    };
    return sendBytes(random, response, { ...answer, bytes, headers });
  },
  function hangUp(random, response, answer) {
    if (random.chance(0.3)) return response.destroy();
    response.writeHead(200, { 'content-type': answer.type });
    response.write(answer.bytes.subarray(0, random.below(answer.bytes.length + 1)));
    return nextTurn().then(() => response.destroy());
  },
  function wrongLength(random, response, answer) {
    response.writeHead(200, {
      'content-type': answer.type,
      'content-length': answer.bytes.length + 1 + random.below(9),
    });
    response.write(answer.bytes);
    return nextTurn().then(() => response.destroy());
  },
  function noHttp(random, response) {
    const { socket } = response;
    socket?.write(
      random.pick([
        'HTTP/1.1 200\r\n\r\n',
        'hello',
        'HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n',
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      ]),
    );
    return nextTurn().then(() => socket?.destroy());
  },
];

function asItIs(random: Random, response: ServerResponse, answer: Answer): Promise<void> {
  return sendBytes(random, response, answer);
}

function sendBytes(random: Random, response: ServerResponse, answer: Answer): Promise<void> {
  return send(response, answer, cutAnywhere(random, answer.bytes));
}

async function send(
  response: ServerResponse,
  { status, type, headers }: Answer,
  pieces: readonly Buffer[],
): Promise<void> {
  response.writeHead(status, { ...(type === '' ? {} : { 'content-type': type }), ...headers });
  for (const piece of pieces) {
    if (response.destroyed) return;
    response.write(piece);
    await nextTurn();
  }
  response.end();
}
