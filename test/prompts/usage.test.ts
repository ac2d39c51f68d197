import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { UsageSum } from '../../src/usage/queries.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { adminClient } from '../support/admin.ts';
import { ADMIN_KEY, startGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const RIVAL_KEY = 'sk-fl-key-of-rival-00000000000000';

const upstream = await startRawUpstream((response) => {
  response.setHeader('content-type', 'application/json');
  response.end(chatAnswer('Hello'));
});
after(upstream.close);

async function setUp(more: { prompts?: object; acme?: object } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'fairlead-prompts-'));
  await mkdir(join(directory, 'support'));
  for (const name of ['hello', 'support/one', 'support/two'])
    await writeFile(join(directory, `${name}.prompt`), '---\nmodel: up/m\n---\nSay {{word}}.\n');
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    prices: { 'up/*': { input: 1, output: 1 } },
    prompts: { directory, ...more.prompts },
    tenants: {
      acme: {
        ...{ models: ['*'], prompts: ['*'], ...more.acme },
        keys: [{ name: 'app', secret: 'sk-fl-test-key-of-acme-000000000000' }],
      },
      rival: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: RIVAL_KEY }] },
    },
  });
  after(async () => {
    await gateway.stop();
    await rm(directory, { recursive: true });
  });
  const call = (name: string, key?: string) =>
    gateway.post(
      `/v1/prompts/${name}`,
      { word: 'x' },
      key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } },
    );
  return { gateway, call };
}

test('calls are found and summed by their prompt', async () => {
  const { gateway, call } = await setUp();
  for (const name of ['hello', 'support/one', 'hello']) assert.equal((await call(name)).status, 200);
  await gateway.post('/v1/chat/completions', { model: 'up/m', messages: [{ role: 'user', content: 'x' }] });
  const records = await gateway.calls(4);
  assert.deepEqual(records.map(({ prompt }) => prompt ?? '-').toSorted(), [
    '-',
    'hello@1',
    'hello@1',
    'support/one@1',
  ]);
  const found = await gateway.get('/admin/v1/calls?prompt=hello', ADMIN_KEY);
  const { data } = (await found.json()) as { data: UsageRecord[] };
  assert.deepEqual(
    data.map(({ prompt, model }) => [prompt, model]),
    [
      ['hello@1', 'up/m'],
      ['hello@1', 'up/m'],
    ],
  );
  const summed = await gateway.get('/admin/v1/usage?by=prompt&model=up/m', ADMIN_KEY);
  const sums = ((await summed.json()) as { data: UsageSum[] }).data;
  assert.deepEqual(
    sums.map(({ prompt, calls }) => [prompt, calls]),
    [
      [null, 1],
      ['hello@1', 2],
      ['support/one@1', 1],
    ],
  );
});

test('a call that its prompt refuses is one of the prompt, and one of a prompt that there is not is of none', async () => {
  const { gateway, call } = await setUp();
  const admin = adminClient(gateway.url);
  assert.equal((await gateway.post('/v1/prompts/hello', '[1]')).status, 400);
  assert.equal((await gateway.post('/v1/prompts/support/one@1?format=none', {})).status, 400);
  assert.equal((await call('none')).status, 404);
  await admin.must('POST', '/prompts/support%2Ftwo/retire', {});
  assert.equal((await call('support/two')).status, 410);
  const records = await gateway.calls(4);
  assert.deepEqual(records.map(({ prompt, status }) => `${status} ${prompt}`).toSorted(), [
    '400 hello@1',
    '400 support/one@1',
    '404 undefined',
    '410 support/two@1',
  ]);
});

test("a tenant's limit on prompts holds for all that it matches, and for nothing else", async () => {
  const { call, gateway } = await setUp({
    acme: { promptLimits: { 'support/*': { requestsPerMinute: 2 } } },
  });
  assert.equal((await call('support/one')).status, 200);
  assert.equal((await call('support/two')).status, 200);
  const refused = await call('support/one');
  assert.equal(refused.status, 429);
  const { error } = (await refused.json()) as { error: { message: string } };
  assert.match(error.message, /the tenant 'acme' on the prompts 'support\/\*' has a limit of 2 requests/);
  assert.equal((await call('hello')).status, 200);
  assert.equal((await call('support/one', RIVAL_KEY)).status, 200);
  const plain = { model: 'up/m', messages: [{ role: 'user', content: 'x' }] };
  assert.equal((await gateway.post('/v1/chat/completions', plain)).status, 200);
});

test('a limit of a prompt itself holds for all tenants together, and tells none of the others', async () => {
  const limits = { hello: { requestsPerMinute: 2, budgets: [{ usd: 1, per: 'day' }] } };
  const { call } = await setUp({ prompts: { limits } });
  assert.equal((await call('hello')).headers.get('x-ratelimit-remaining-requests'), null);
  assert.equal((await call('hello', RIVAL_KEY)).status, 200);
  const refused = await call('hello');
  assert.equal(refused.status, 429);
  assert.equal((await call('support/one')).status, 200);
});
