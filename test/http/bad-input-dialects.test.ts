import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { scale } from '../support/scale.ts';

const gateway = await startGateway({ server: { port: 0, bodyLimit: '100kb' } });
after(() => gateway.stop());

/** A door, a good body for it, and how its dialect says an error. */
interface DoorCase {
  path: string;
  good: Record<string, unknown>;
  /** @throws where the body is no error of the dialect */
  readError(body: unknown, status: number): { message: string };
  headers: Record<string, string>;
}

const message = { role: 'user', content: 'Hi' };

function readAnthropicError(body: unknown): { message: string } {
  const { type, error } = body as { type: string; error: { type: string; message: string } };
  assert.equal(type, 'error');
  assert.match(error.type, /_error$|^request_too_large$/);
  return error;
}

function readGoogleError(body: unknown, status: number): { message: string } {
  const { error } = body as { error: { code: number; status: string; message: string } };
  assert.equal(error.code, status);
  assert.match(error.status, /^[A-Z_]+$/);
  return error;
}

function readOpenAiError(body: unknown): { message: string } {
  const { error } = body as { error: { type: string; message: string; param: string | null } };
  assert.equal(typeof error.type, 'string');
  return error;
}

const anthropic = { readError: readAnthropicError, headers: { 'x-api-key': TEST_KEY } };
const google = { readError: readGoogleError, headers: { 'x-goog-api-key': TEST_KEY } };
const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }];

const DOORS: DoorCase[] = [
  { path: '/v1/messages', good: { model: 'echo/echo', max_tokens: 9, messages: [message] }, ...anthropic },
  ...['v1beta', 'v1', 'v1alpha'].map((version) => ({
    path: `/${version}/models/echo/echo:generateContent`,
    good: { contents },
    ...google,
  })),
  { path: '/v1beta/models/echo%2Fecho:streamGenerateContent?alt=sse', good: { contents }, ...google },
  { path: '/v1beta/models/echo/echo:streamGenerateContent', good: { contents }, ...google },
  {
    path: '/v1beta/models/echo/echo:embedContent',
    good: { content: { parts: [{ text: 'Hi' }] } },
    ...google,
  },
  {
    path: '/v1beta/models/echo/echo:batchEmbedContents',
    good: { requests: [{ content: { parts: [{ text: 'Hi' }] } }] },
    ...google,
  },
  {
    path: '/v1/responses',
    good: { model: 'echo/echo', input: 'Hi' },
    readError: readOpenAiError,
    headers: { authorization: `Bearer ${TEST_KEY}` },
  },
  {
    path: '/v1/completions',
    good: { model: 'echo/echo', prompt: 'Hi' },
    readError: readOpenAiError,
    headers: { authorization: `Bearer ${TEST_KEY}` },
  },
];

const post = ({ path, headers }: DoorCase, body: unknown, own = headers) =>
  fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...own },
    body:
      typeof body === 'string' ? body : Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body),
  });

for (const door of DOORS) {
  test(`${door.path} answers a good request`, async () => {
    const response = await post(door, door.good);
    assert.equal(response.status, 200, await response.text());
  });

  test(`${door.path} refuses what is no request, in its own form`, async () => {
    for (const body of ['', '{', '[]', '7', 'null', '{}', `{"x":${'['.repeat(5000)}${']'.repeat(5000)}}`]) {
      const response = await post(door, body);
      assert.equal(response.status, 400, `${body.slice(0, 20)}: ${response.status}`);
      assert.notEqual(door.readError(await response.json(), 400).message, '');
    }
    // Nobody can tell what was said, and guessing would be another prompt.
    const bytes = Buffer.from(JSON.stringify(door.good).replace('"Hi"', '"H\xff"'), 'latin1');
    const unreadable = await post(door, bytes);
    assert.equal(unreadable.status, 400);
    assert.match(door.readError(await unreadable.json(), 400).message, /not valid UTF-8 \(at byte \d+\)/);
    const large = await post(door, { ...door.good, padding: 'x'.repeat(200_000) });
    assert.equal(large.status, 413);
    door.readError(await large.json(), 413);
  });

  test(`${door.path} wants a key where its clients put it`, async () => {
    for (const headers of [{}, { authorization: 'Bearer sk-fl-nobody' }, { authorization: 'Basic x' }]) {
      const response = await post(door, door.good, headers as Record<string, string>);
      assert.equal(response.status, 401);
      door.readError(await response.json(), 401);
    }
    const bearer = await post(door, door.good, { authorization: `Bearer ${TEST_KEY}` });
    assert.equal(bearer.status, 200);
  });

  test(`${door.path}: whatever stands in the place of a field, it is no failure of the gateway`, async () => {
    const places = placesOf(door.good);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), fc.jsonValue({ maxDepth: 3 }), async (place, value) => {
        const response = await post(door, replace(door.good, place, value));
        const text = await response.text();
        assert.ok(response.status === 200 || (response.status >= 400 && response.status < 500), text);
        if (response.status !== 200) door.readError(JSON.parse(text), response.status);
      }),
      { numRuns: scale({ sample: 40, heavy: 2000 }) },
    );
  });
}

type Place = (string | number)[];

function placesOf(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...at, key]))].filter(
    (place) => place.length > 0,
  );
}

function replace(value: unknown, [key, ...rest]: Place, by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(value))
    return value.map((item, at) => (at === Number(key) ? replace(item, rest, by) : item));
  const holder = value as Record<string, unknown>;
  return { ...holder, [key]: replace(holder[key], rest, by) };
}

test('a mistyped path is told in the words of who asks', async () => {
  const ask = async (path: string, headers: Record<string, string>) => {
    const response = await fetch(gateway.url + path, { method: 'POST', headers, body: '{}' });
    assert.equal(response.status, 404);
    return response.json();
  };
  readAnthropicError(await ask('/v1/massages', { 'anthropic-version': '2023-06-01' }));
  readGoogleError(await ask('/v1beta/models/x', { 'x-goog-api-key': TEST_KEY }), 404);
  readOpenAiError(await ask('/v1/complections', {}));
});

test('a key in a URL is read, and is in no log', async () => {
  const response = await fetch(`${gateway.url}/v1beta/models?key=${TEST_KEY}`);
  assert.equal(response.status, 200);
  await fetch(`${gateway.url}/v1beta/models/%zz?key=${TEST_KEY}`);
  await fetch(`${gateway.url}/nowhere?key=${TEST_KEY}`);
  assert.equal(gateway.logs().includes(TEST_KEY), false);
});

test('nothing that a caller sent wrong was a failure of the gateway', () => {
  assert.doesNotMatch(gateway.logs(), /does not know/);
});
