import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { TEST_KEY } from '../support/gateway.ts';
import { startPrompts } from '../support/prompt-gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

const asked: JsonObject[] = [];
const upstream = await startRawUpstream((response, body) => {
  const request = JSON.parse(body) as JsonObject;
  asked.push(request);
  const isStream = request['stream'] === true;
  response.setHeader('content-type', isStream ? 'text/event-stream' : 'application/json');
  response.end(isStream ? `${chatChunk('OK', 'stop')}data: [DONE]\n\n` : chatAnswer('OK'));
});
const gateway = await startPrompts(
  {
    'open.prompt':
      '---\nmodel: up/m\nfairlead.overrides: [temperature, maxOutputTokens, stop, verbosity]\n---\nHi {{name}}\n',
    'shut.prompt': '---\nmodel: up/m\n---\nHi {{name}}\n',
  },
  { providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } } },
);
after(async () => {
  await gateway.stop();
  await upstream.close();
});

async function refusal(query: string, headers: Record<string, string> = {}, prompt = 'open') {
  const answer = await gateway.post(`/v1/prompts/${prompt}?${query}`, { name: 'Ada' }, { headers });
  assert.equal(answer.status, 400, query);
  const { error } = (await answer.json()) as {
    error: { code: string | null; param: string; message: string };
  };
  return error;
}

test("a stream is asked for by 'true' or '1', and not by 'false' or '0', whatever the client accepts", async () => {
  const events = { accept: 'text/event-stream' };
  const cases: [string, Record<string, string>, boolean][] = [
    ['stream=true', {}, true],
    ['stream=1', {}, true],
    ['stream=false', events, false],
    ['stream=0', events, false],
  ];
  for (const [query, headers, isStream] of cases) {
    const answer = await gateway.post(`/v1/prompts/open?${query}`, { name: 'Ada' }, { headers });
    assert.equal(answer.status, 200, query);
    assert.equal(answer.headers.get('content-type')?.startsWith('text/event-stream'), isStream, query);
    await answer.text();
  }
});

test("anything else of 'stream' is refused", async () => {
  for (const query of ['stream=yes', 'stream=', 'stream', 'stream=TRUE']) {
    const { param, message } = await refusal(query);
    assert.equal(param, 'stream', query);
    assert.match(message, /'stream' is true or 1, false or 0\./);
  }
});

test('what is no parameter is refused by its name, with those that there are', async () => {
  for (const name of ['stpo', 'Stream', 'toString', '__proto__', 'input']) {
    const { code, param, message } = await refusal(`${encodeURIComponent(name)}=1`);
    assert.deepEqual([code, param], ['unknown_parameter', name]);
    assert.match(message, /The query takes stream, format, temperature, max_tokens, stop, verbosity\.$/);
  }
  const { message } = await refusal('x=1', {}, 'shut');
  assert.match(message, /The query takes stream, format\.$/);
});

test('what is a parameter, and not to be set here, is refused as such', async () => {
  const { code, param } = await refusal('stop=1', {}, 'shut');
  assert.deepEqual([code, param], ['override_not_allowed', 'stop']);
});

test('a parameter that stands twice is refused', async () => {
  for (const query of [
    'stream=true&stream=true',
    'temperature=0&temperature=1',
    'format=chat&format=output',
  ]) {
    const { param, message } = await refusal(query);
    assert.equal(param, query.split('=')[0]);
    assert.match(message, /stands twice/);
  }
});

test('what is set is of the type that its parameter has', async () => {
  const query = 'temperature=0.5&maxOutputTokens=10&stop=1&verbosity=low';
  assert.equal((await gateway.post(`/v1/prompts/open?${query}`, { name: 'Ada' })).status, 200);
  const { temperature, max_tokens, stop, verbosity } = asked.at(-1) ?? {};
  assert.deepEqual([temperature, max_tokens, stop, verbosity], [0.5, 10, ['1'], 'low']);
  for (const wrong of ['temperature=warm', 'temperature=', 'maxOutputTokens=1.5', 'max_tokens=0x10']) {
    const { param, message } = await refusal(wrong);
    assert.equal(param, wrong.split('=')[0]);
    assert.match(message, /must be a (whole )?number/);
  }
});

test('a body that is no JSON is told from one that is no object, and a form of fields alone from both', async () => {
  const cases: [string, RegExp, string?][] = [
    ['{"name":', /^The body is no valid JSON: /],
    ['["Ada"]', /^The body must be a JSON object: the input of the prompt\.$/],
    ['name=Ada', /^The body is no valid JSON: .*multipart\/form-data/, 'application/x-www-form-urlencoded'],
  ];
  for (const [body, wanted, type] of cases) {
    const answer = await gateway.post('/v1/prompts/open', body, {
      headers: { 'content-type': type ?? 'application/json' },
    });
    assert.equal(answer.status, 400);
    assert.match(((await answer.json()) as { error: { message: string } }).error.message, wanted);
  }
});

test('a key in the URL is a key, and nothing that is set', async () => {
  const answer = await fetch(`${gateway.url}/v1/prompts/open?key=${TEST_KEY}`, {
    ...{ method: 'POST', body: '{"name":"Ada"}', headers: { 'content-type': 'application/json' } },
  });
  assert.equal(answer.status, 200);
});
