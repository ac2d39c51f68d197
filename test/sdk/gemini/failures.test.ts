import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@google/genai';
import { TEST_KEY } from '../../support/gateway.ts';
import { BACKED, testCancel, testFailover } from '../door-bodies.ts';
import { WAYS, type Way } from '../door-client.ts';
import { startWorld } from '../support.ts';
import { googleClient, googleDoor } from './client.ts';

const world = await startWorld({}, BACKED);
const door = googleDoor(googleClient(world.url));

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

/** The SDK's error holds the body as its message. */
function bodyOf(error: unknown): { code: number; status: string } {
  assert.ok(error instanceof ApiError, String(error));
  const { error: body } = JSON.parse(error.message) as { error: { code: number; status: string } };
  assert.equal(body.code, error.status);
  return body;
}

const FAILURES: [script: string, status: number, word: string][] = [
  ['fail 400', 400, 'INVALID_ARGUMENT'],
  ['fail 404', 404, 'NOT_FOUND'],
  ['fail 429', 429, 'RESOURCE_EXHAUSTED'],
  ['fail 401', 502, 'UNAVAILABLE'],
  ['fail 500', 502, 'UNAVAILABLE'],
  ['fail 529', 502, 'UNAVAILABLE'],
  ['fail 504', 504, 'DEADLINE_EXCEEDED'],
  ['html 200', 502, 'UNAVAILABLE'],
];

for (const [script, status, word] of FAILURES) {
  world.each(`'${script}' of a provider is a ${status} to the client`, async ({ model }) => {
    for (const way of WAYS) {
      const { text, error } = await fail(model, `${script}\nHi`, way);
      assert.equal(text, '');
      const body = bodyOf(error);
      assert.deepEqual([body.code, body.status], [status, word]);
    }
  });
}

for (const script of ['break mid-stream', 'error mid-stream', 'truncated json', 'close early']) {
  world.each(`'${script}' in the middle of a stream raises, after what had come`, async ({ model }) => {
    const { text, error } = await fail(model, `${script}\nslow 1 ms per chunk\nlong 20`, 'streamed');
    assert.ok(error instanceof ApiError, String(error));
    assert.match(text, /^word1 word2/);
  });
}

for (const script of ['error at start', 'empty answer']) {
  world.each(`'${script}' before any output of a stream is a 502`, async ({ model }) => {
    const { text, error } = await fail(model, `${script}\nHi`, 'streamed');
    assert.equal(text, '');
    assert.equal(bodyOf(error).code, 502);
  });
}

testFailover(world, door);
testCancel(world, door);

test('the gateway’s own refusals are in Google’s form', async () => {
  assert.equal(bodyOf((await fail('nobody/x', 'Hi', 'whole')).error).status, 'NOT_FOUND');
  const response = await fetch(`${world.url}/v1beta/models/echo/echo:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': 'sk-fl-nobody' },
    body: '{}',
  });
  const { error } = (await response.json()) as { error: { code: number; status: string } };
  assert.deepEqual([response.status, error.code, error.status], [401, 401, 'UNAUTHENTICATED']);
});

test('records are in the caller’s dialect, and cancelled calls are told', async () => {
  const records = await world.records();
  assert.ok(records.every(({ dialect }) => dialect === 'gemini'));
  const cancelled = records.filter(({ outcome }) => outcome === 'cancelled');
  assert.equal(cancelled.length, 3 * (2 * 2 + 1));
  for (const { status, usage } of cancelled) {
    assert.equal(status, 499);
    assert.ok(usage, 'what was asked is accounted');
  }
});

test('no key is in a log, nor in the URL of a provider', () => {
  const secrets = [TEST_KEY, ...Object.values(world.fakes).map(({ apiKey }) => apiKey)];
  for (const secret of secrets) {
    assert.equal(world.logs().includes(secret), false);
    for (const { path } of world.fakes.gemini.requests) assert.equal(path.includes(secret), false);
  }
});
