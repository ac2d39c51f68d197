import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { after, test } from 'node:test';
import { adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const json = (response: ServerResponse, status: number, body: object, headers: object = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

const RESPONSE = {
  ...{ id: 'resp_1', object: 'response', created_at: 1, status: 'completed', model: 'gpt-4.1', output: [] },
  usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
};

/** Keeps one thing of each kind, and limits what `limited` says, by account and path. */
let limited: (account: string, request: string) => boolean = () => false;
let wait = '30';
const asked: string[] = [];
const upstream = await startRawUpstream((response, _body, { method, url, headers }: IncomingMessage) => {
  const account = headers.authorization?.endsWith('first') ? 'first' : 'second';
  const request = `${method} ${url}`;
  asked.push(`${account} ${request}`);
  if (limited(account, request)) {
    json(
      response,
      429,
      { error: { message: 'Slow down', code: 'rate_limit_exceeded' } },
      { 'retry-after': wait, 'x-should-retry': 'false' },
    );
  } else if (url?.startsWith('/v1/files'))
    json(response, 200, { id: `file-${account}`, object: 'file', purpose: 'user_data' });
  else json(response, 200, RESPONSE);
});
const accounts = ['first', 'second'].map((name) => ({
  name,
  apiKey: `sk-upstream-secret-0123456789-${name}`,
}));
const provider = (name: string, own = accounts) => [
  name,
  { adapter: 'openai', baseUrl: upstream.baseUrl, accounts: own },
];
const gateway = await startGateway({
  providers: Object.fromEntries([provider('one', accounts.slice(0, 1)), provider('two')]),
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});

async function call(method: string, path: string, body?: FormData | string) {
  asked.length = 0;
  const type = typeof body === 'string' ? { 'content-type': 'application/json' } : {};
  const headers = { authorization: `Bearer ${TEST_KEY}`, ...type };
  const response = await fetch(gateway.url + path, { method, headers, ...(body !== undefined && { body }) });
  const answer = (await response.json()) as { id?: string };
  const retryAfter = Number(response.headers.get('retry-after'));
  const shouldRetry = response.headers.get('x-should-retry');
  return { status: response.status, retryAfter, shouldRetry, id: answer.id, asked: [...asked] };
}

function upload(name: string) {
  const form = new FormData();
  form.set('purpose', 'user_data');
  form.set('file', new Blob(['text']), 'a.txt');
  return call('POST', `/v1/files?provider=${name}`, form);
}

test('files at an account that is limited are not asked for before its time, and new ones go to another', async () => {
  limited = (account) => account === 'first';
  assert.equal((await upload('two')).status, 429);
  const next = await upload('two');
  assert.deepEqual([next.status, next.id, next.asked], [200, 'file-second', ['second POST /v1/files']]);
});

test('an event tells of such a place by a name that no model has', async () => {
  const { body } = await adminClient(gateway.url).must('GET', '/events');
  const events = body['data'] as { kind: string; details: Record<string, unknown> }[];
  const places = events.filter(({ kind }) => kind === 'cooling_began').map(({ details }) => details);
  assert.deepEqual(
    places.map(({ provider, account, target }) => [provider, account, target]),
    [['two', 'first', 'two:files']],
  );
  limited = () => false;
  const chat = JSON.stringify({ model: 'two:files', messages: [{ role: 'user', content: 'Hi' }] });
  assert.deepEqual([(await call('POST', '/v1/chat/completions', chat)).status, asked], [404, []]);
});

test('a file that is kept at an account is not asked for before the time that it named', async () => {
  limited = (_, request) => request.startsWith('GET');
  const { id } = await upload('one');
  const first = await call('GET', `/v1/files/${id}`);
  assert.deepEqual([first.status, first.asked], [429, [`first GET /v1/files/${id}`]]);
  for (const { status, retryAfter, asked: again } of [
    await call('GET', `/v1/files/${id}`),
    await upload('one'),
  ]) {
    assert.deepEqual([status, again], [429, []]);
    assert.ok(retryAfter > 20 && retryAfter <= 30, `retry-after: ${retryAfter}`);
  }
});

test('nor is a response, which says nothing of calls of its model', async () => {
  limited = (_, request) => request.startsWith('GET');
  const generate = () => call('POST', '/v1/responses', JSON.stringify({ model: 'one/gpt-4.1', input: 'Hi' }));
  const { id } = await generate();
  assert.equal((await call('GET', `/v1/responses/${id}`)).status, 429);
  const { status, retryAfter, asked: again } = await call('GET', `/v1/responses/${id}`);
  assert.deepEqual([status, again, retryAfter > 20], [429, [], true]);
  assert.equal((await generate()).status, 200);
});

test('what a provider says of trying again is told of what is asked about a response, too; nobody is told to wait for nothing', async () => {
  limited = (_, request) => request.startsWith('GET');
  wait = '0';
  const { id } = await call('POST', '/v1/responses', JSON.stringify({ model: 'two/gpt-4.1', input: 'Hi' }));
  const { status, retryAfter, shouldRetry } = await call('GET', `/v1/responses/${id}`);
  assert.deepEqual([status, retryAfter, shouldRetry], [429, 1, 'false']);
});
