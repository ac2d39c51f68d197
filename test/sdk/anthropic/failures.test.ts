import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from '@anthropic-ai/sdk';
import { TEST_KEY } from '../../support/gateway.ts';
import { BACKED, testCancel, testFailover } from '../door-bodies.ts';
import { WAYS, type Way } from '../door-client.ts';
import { startWorld } from '../support.ts';
import { anthropicClient, anthropicDoor } from './client.ts';

const world = await startWorld({}, BACKED);
const client = anthropicClient(world.url);
const door = anthropicDoor(client);

const ask = (model: string, content: string) => ({
  model,
  max_tokens: 1000,
  messages: [{ role: 'user' as const, content }],
});

/** Asks, and gives the text that came and the error that was raised. */
async function fail(model: string, content: string, way: Way): Promise<{ text: string; error: unknown }> {
  let text = '';
  try {
    if (way === 'whole') text = (await door.ask({ model, turns: [{ user: content }] }, way)).answer.text;
    else for await (const piece of door.stream({ model, turns: [{ user: content }] })) text += piece;
    return { text, error: undefined };
  } catch (error) {
    return { text, error };
  }
}

interface Failure {
  script: string;
  raised: new (...args: never[]) => APIError;
  status: number;
  type: string;
}

/** Before anything of an answer is there: a status, in both ways, so that the SDK raises its own typed error. */
const FAILURES: Failure[] = [
  { script: 'fail 400', raised: BadRequestError, status: 400, type: 'invalid_request_error' },
  { script: 'fail 404', raised: NotFoundError, status: 404, type: 'invalid_request_error' },
  { script: 'fail 429', raised: RateLimitError, status: 429, type: 'rate_limit_error' },
  { script: 'fail 401', raised: InternalServerError, status: 502, type: 'api_error' },
  { script: 'fail 500', raised: InternalServerError, status: 502, type: 'api_error' },
  { script: 'fail 529', raised: InternalServerError, status: 502, type: 'api_error' },
  { script: 'fail 504', raised: InternalServerError, status: 504, type: 'timeout_error' },
  { script: 'html 200', raised: InternalServerError, status: 502, type: 'api_error' },
];

for (const { script, raised, status, type } of FAILURES) {
  world.each(`'${script}' of a provider is a ${status} to the client`, async ({ model }) => {
    for (const way of WAYS) {
      const { text, error } = await fail(model, `${script}\nHi`, way);
      assert.equal(text, '');
      assert.ok(error instanceof raised, String(error));
      assert.equal(error.status, status);
      assert.equal(error.type, type);
      assert.match(error.requestID ?? '', /^req_/);
      if (status === 429) assert.equal(error.headers?.get('retry-after'), '1');
    }
  });
}

for (const script of ['break mid-stream', 'error mid-stream', 'truncated json', 'close early']) {
  world.each(`'${script}' in the middle of a stream raises, after what had come`, async ({ model }) => {
    const { text, error } = await fail(model, `${script}\nslow 1 ms per chunk\nlong 20`, 'streamed');
    assert.ok(error instanceof APIError, String(error));
    assert.equal(error.status, undefined);
    assert.match(text, /^word1 word2/);
  });
}

for (const script of ['error at start', 'empty answer']) {
  world.each(`'${script}' before any output of a stream is a 502`, async ({ model }) => {
    const { text, error } = await fail(model, `${script}\nHi`, 'streamed');
    assert.equal(text, '');
    assert.ok(error instanceof InternalServerError, String(error));
  });
}

world.each('a stream that lacks only its last event gets it', async ({ model, name }) => {
  const { text, error } = await fail(model, 'close without done\nlong 3', 'streamed');
  assert.equal(text, 'word1 word2 word3');
  // The last event of a Gemini stream is the one with the finish reason.
  assert.equal(error instanceof APIError, name === 'gemini');
});

testFailover(world, door);
testCancel(world, door);

test('the gateway’s own refusals raise typed errors', async () => {
  const model = 'anthropic/claude-sonnet-4-5';
  await assert.rejects(client.messages.create(ask('nobody/x', 'Hi')), NotFoundError);
  await assert.rejects(client.messages.create({ ...ask(model, 'Hi'), model: 7 as never }), BadRequestError);
  const stranger = client.withOptions({ apiKey: 'sk-fl-nobody' });
  await assert.rejects(stranger.messages.create(ask(model, 'Hi')), (error) => {
    assert.ok(error instanceof AuthenticationError);
    assert.equal(error.type, 'authentication_error');
    assert.match(error.requestID ?? '', /^req_/);
    return true;
  });
});

test('a bearer token is a key, too', async () => {
  const bearer = client.withOptions({ apiKey: null, authToken: TEST_KEY });
  const { content } = await bearer.messages.create(ask('anthropic/claude-sonnet-4-5', 'Hi'));
  assert.equal(content[0]?.type, 'text');
});

test('records are in the caller’s dialect, and cancelled calls are told', async () => {
  const records = await world.records();
  assert.ok(records.every(({ dialect }) => dialect === 'messages'));
  const cancelled = records.filter(({ outcome }) => outcome === 'cancelled');
  assert.equal(cancelled.length, 3 * (2 * 2 + 1));
  for (const { status, usage } of cancelled) {
    assert.equal(status, 499);
    assert.ok(usage, 'what was asked is accounted');
  }
});

test('no key is in a log', () => {
  const secrets = [TEST_KEY, ...Object.values(world.fakes).map(({ apiKey }) => apiKey)];
  for (const secret of secrets) assert.equal(world.logs().includes(secret), false);
});
