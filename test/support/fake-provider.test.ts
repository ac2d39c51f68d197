import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';
import { startFakeAnthropic } from './fake-anthropic.ts';
import { startFakeGemini } from './fake-gemini.ts';
import { startFakeOpenAi } from './fake-openai.ts';
import type { FakeOptions, FakeProvider } from './fake-provider.ts';

/** How each dialect asks the same thing, whole or as a stream. */
interface Dialect {
  name: string;
  start: (options?: FakeOptions) => Promise<FakeProvider>;
  ask: (fake: FakeProvider, text: string, stream?: boolean, signal?: AbortSignal) => Promise<Response>;
  /** What the last frame of a whole stream looks like. */
  lastFrame: RegExp;
  /** The in-stream error event. */
  errorFrame: RegExp;
  overloaded: number;
}

const DIALECTS: readonly Dialect[] = [
  {
    name: 'openai',
    start: startFakeOpenAi,
    ask: (fake, text, stream = false, signal) =>
      post(
        `${fake.url}/chat/completions`,
        { authorization: `Bearer ${fake.apiKey}` },
        { model: 'gpt-4.1-mini', stream, messages: [{ role: 'user', content: text }] },
        signal,
      ),
    lastFrame: /data: \[DONE\]\n\n$/,
    errorFrame: /data: \{"error":\{"message":"The server had an error[^\n]+\n\n$/,
    overloaded: 503,
  },
  {
    name: 'anthropic',
    start: startFakeAnthropic,
    ask: (fake, text, stream = false, signal) =>
      post(
        `${fake.url}/v1/messages`,
        { 'x-api-key': fake.apiKey, 'anthropic-version': '2023-06-01' },
        { model: 'claude-haiku-4-5', max_tokens: 500, stream, messages: [{ role: 'user', content: text }] },
        signal,
      ),
    lastFrame: /event: message_stop\ndata: [^\n]+\n\n$/,
    errorFrame: /event: error\ndata: \{"type":"error","error":\{"type":"overloaded_error"[^\n]+\n\n$/,
    overloaded: 529,
  },
  {
    name: 'gemini',
    start: startFakeGemini,
    ask: (fake, text, stream = false, signal) =>
      post(
        `${fake.url}/v1beta/models/gemini-2.5-flash:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
        { 'x-goog-api-key': fake.apiKey },
        { contents: [{ role: 'user', parts: [{ text }] }] },
        signal,
      ),
    lastFrame: /"finishReason": "STOP"[^\n]+\r\n\r\n$/,
    errorFrame: /data: \{"error": \{"code": 503[^\n]+\r\n\r\n$/,
    overloaded: 503,
  },
];

function post(
  url: string,
  headers: Record<string, string>,
  body: JsonObject,
  signal: AbortSignal | undefined,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: signal ?? null,
  });
}

for (const { name, start, ask, lastFrame, errorFrame, overloaded } of DIALECTS) {
  let fake: FakeProvider;
  before(async () => {
    fake = await start();
  });
  after(() => fake.close());

  test(`${name}: requests are logged with their headers, body and answer`, async () => {
    const response = await ask(fake, 'hi');
    await response.text();
    const logged = fake.requests.at(-1);
    assert.equal(logged?.method, 'POST');
    assert.equal(logged?.headers['content-type'], 'application/json');
    assert.deepEqual(logged?.body, JSON.parse(logged?.rawBody.toString() ?? ''));
    assert.deepEqual([logged?.status, logged?.aborted], [200, false]);
    assert.ok(fake.connections >= 1);
  });

  test(`${name}: a stream ends with its last frame`, async () => {
    assert.match(await (await ask(fake, 'long 20', true)).text(), lastFrame);
  });

  test(`${name}: a stream that breaks sends a part and cuts the connection`, async () => {
    const response = await ask(fake, 'long 20\nbreak mid-stream', true);
    const { text, failed } = await readUntilCut(response);
    assert.match(text, /word1/);
    assert.doesNotMatch(text, /word19/);
    assert.equal(failed, true);
    assert.equal(fake.requests.at(-1)?.aborted, false);
  });

  test(`${name}: an error in the middle is an event after some of the output`, async () => {
    const text = await (await ask(fake, 'long 20\nerror mid-stream', true)).text();
    assert.match(text, errorFrame);
    assert.match(text, /word1/);
    assert.doesNotMatch(text, /word19/);
  });

  test(`${name}: an error at the start comes before any output`, async () => {
    const text = await (await ask(fake, 'long 20\nerror at start', true)).text();
    assert.match(text, errorFrame);
    assert.doesNotMatch(text, /word1/);
  });

  test(`${name}: a stream can end without its last frame, or without any end at all`, async () => {
    const withoutDone = await (await ask(fake, 'long 20\nclose without done', true)).text();
    assert.doesNotMatch(withoutDone, lastFrame);
    assert.match(withoutDone, /word20/);
    const early = await (await ask(fake, 'long 20\nclose early', true)).text();
    assert.match(early, /word20/);
    assert.doesNotMatch(early, /"(finish_reason|stop_reason|finishReason)": ?"/);
  });

  test(`${name}: an answer can be HTML, half a JSON or empty`, async () => {
    const html = await ask(fake, 'html 200');
    assert.match(html.headers.get('content-type') ?? '', /^text\/html/);
    assert.equal(html.status, 200);
    assert.equal((await ask(fake, 'html 502')).status, 502);
    assert.equal(tryParseJson(await (await ask(fake, 'truncated json')).text()), undefined);
    assert.doesNotMatch(await (await ask(fake, 'empty answer')).text(), /Echo/);
    assert.doesNotMatch(await (await ask(fake, 'empty answer', true)).text(), /Echo/);
  });

  test(`${name}: a slow answer is whole in the end`, async () => {
    assert.match(await (await ask(fake, 'long 5\nslow 1 ms per chunk', true)).text(), lastFrame);
    assert.match(await (await ask(fake, 'long 5\nslow 1 ms per chunk')).text(), /word5/);
  });

  test(`${name}: a hanging answer is over when its client goes`, async () => {
    const hanging = await start();
    for (const directive of ['hang before headers', 'hang mid-stream']) {
      const controller = new AbortController();
      const waiting = hanging.waitForAbort();
      const answer = ask(hanging, `long 20\n${directive}`, true, controller.signal)
        .then(readUntilCut)
        .catch((error: unknown) => error);
      await waitUntil(() => hanging.requests.length > 0);
      controller.abort();
      await answer;
      const logged = await waiting;
      assert.equal(logged.aborted, true);
      assert.ok(logged.abortedAt !== undefined && logged.abortedAt <= performance.now());
      hanging.requests.length = 0;
    }
    await hanging.close();
  });

  test(`${name}: failures have the dialect's status and error body`, async () => {
    for (const [script, status] of [
      ['fail 429', 429],
      ['fail 500', 500],
      ['fail 403', 403],
      ['fail 529', overloaded],
    ] as const) {
      const response = await ask(fake, script);
      assert.equal(response.status, status);
      const body = (await response.json()) as JsonObject;
      assert.ok(isObject(body['error']) && typeof body['error']['message'] === 'string');
    }
  });

  test(`${name}: the moment to try again is told where the dialect tells it`, async () => {
    const response = await ask(fake, 'fail 429');
    const text = await response.text();
    if (name === 'gemini')
      assert.match(text, /"@type":"type\.googleapis\.com\/google\.rpc\.RetryInfo","retryDelay":"1s"/);
    else assert.equal(response.headers.get('retry-after'), '1');
  });

  test(`${name}: behaviour set on the server applies to so many requests`, async () => {
    fake.setBehaviour('fail 500', 2);
    const statuses: number[] = [];
    for (let i = 0; i < 3; i += 1) statuses.push((await ask(fake, 'hi')).status);
    assert.deepEqual(statuses, [500, 500, 200]);
  });

  test(`${name}: every byte of a cut stream is the same as uncut`, async () => {
    const cut = await start({ cutBytes: 1 });
    const [whole, pieces] = await Promise.all([ask(fake, 'Grüße 👋', true), ask(cut, 'Grüße 👋', true)]);
    const withoutIds = (text: string): string => text.replace(/"(id|responseId)": ?"[^"]*"/g, '');
    assert.equal(withoutIds(await pieces.text()), withoutIds(await whole.text()));
    await cut.close();
  });
}

/** Reads a body as far as it comes. */
async function readUntilCut(response: Response): Promise<{ text: string; failed: boolean }> {
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
    return { text, failed: false };
  } catch (error) {
    assert.ok(error instanceof Error);
    return { text, failed: true };
  }
}

async function waitUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
