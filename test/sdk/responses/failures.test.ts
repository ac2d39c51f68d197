import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from 'openai';
import { TEST_KEY } from '../../support/gateway.ts';
import { BACKED, testCancel, testFailover } from '../door-bodies.ts';
import { WAYS, type Way } from '../door-client.ts';
import { startWorld } from '../support.ts';
import { responsesDoor } from './client.ts';

const world = await startWorld({}, BACKED);
const { client } = world;
const door = responsesDoor(client);

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
}

/** Before anything of an answer is there: a status, in both ways, so that the SDK raises its own typed error. */
const FAILURES: Failure[] = [
  { script: 'fail 400', raised: BadRequestError, status: 400 },
  { script: 'fail 404', raised: NotFoundError, status: 404 },
  { script: 'fail 429', raised: RateLimitError, status: 429 },
  { script: 'fail 401', raised: InternalServerError, status: 502 },
  { script: 'fail 500', raised: InternalServerError, status: 502 },
  { script: 'fail 529', raised: InternalServerError, status: 502 },
  { script: 'fail 504', raised: InternalServerError, status: 504 },
  { script: 'html 200', raised: InternalServerError, status: 502 },
];

for (const { script, raised, status } of FAILURES) {
  world.each(`'${script}' of a provider is a ${status} to the client`, async ({ model }) => {
    for (const way of WAYS) {
      const { text, error } = await fail(model, `${script}\nHi`, way);
      assert.equal(text, '');
      assert.ok(error instanceof raised, String(error));
      assert.equal(error.status, status);
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

world.each('a broken stream ends with the failed response, numbered on', async ({ model }) => {
  const response = await fetch(`${world.baseUrl}/responses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream: true, input: 'break mid-stream\nslow 1 ms per chunk\nlong 20' }),
  });
  const events = [...(await response.text()).matchAll(/^data: (.*)$/gm)].map(
    ([, data = '']) =>
      JSON.parse(data) as {
        type: string;
        sequence_number: number;
        response?: { id: string; status: string; error: { code: string } | null };
      },
  );
  const last = events.at(-1);
  assert.deepEqual([events.at(-2)?.type, last?.type], ['error', 'response.failed']);
  assert.deepEqual([last?.response?.status, last?.response?.error?.code], ['failed', 'server_error']);
  assert.equal(last?.response?.id, events[0]?.response?.id);
  assert.deepEqual(
    events.map((event) => event.sequence_number),
    events.map((_, index) => index),
  );
});

testFailover(world, door);
testCancel(world, door);

test('the gateway’s own refusals raise typed errors', async () => {
  const input = 'Hi';
  await assert.rejects(client.responses.create({ model: 'nobody/x', input }), NotFoundError);
  await assert.rejects(client.responses.create({ model: 7 as never, input }), BadRequestError);
  const stranger = client.withOptions({ apiKey: 'sk-fl-nobody' });
  await assert.rejects(stranger.responses.create({ model: 'openai/gpt-4.1', input }), AuthenticationError);
  await assert.rejects(stranger.responses.retrieve('resp_1'), AuthenticationError);
});

test('records are in the caller’s dialect, and cancelled calls are told', async () => {
  const records = await world.records();
  assert.ok(records.every(({ dialect }) => dialect === 'responses'));
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
