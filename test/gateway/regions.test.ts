import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const FREE_KEY = 'sk-fl-key-of-the-free-tenant-0000';
const GLOBAL_KEY = 'sk-fl-key-of-the-global-tenant-00';
const WIDE_KEY = 'sk-fl-key-of-the-wide-tenant-0000';

const upstream = await startRawUpstream((response) => {
  response.setHeader('content-type', 'application/json');
  response.end(chatAnswer('Hi'));
});
after(upstream.close);

const promptFile = (model: string) => `---\nmodel: ${model}\n---\nSay {{word}}.\n`;
const folder = await mkdtemp(join(tmpdir(), 'fairlead-prompts-'));
await writeFile(join(folder, 'hello.prompt'), promptFile('everywhere'));

const tenant = (secret: string, more: object = {}) => ({
  ...{ models: ['*'], prompts: ['*'], keys: [{ name: 'app', secret }], ...more },
});
const gateway = await startGateway({
  providers: {
    up: {
      ...{ adapter: 'openai', baseUrl: upstream.baseUrl, region: 'us-east-1' },
      accounts: [
        { name: 'us', apiKey: 'key-us' },
        { name: 'eu', apiKey: 'key-eu', region: 'eu-central-1' },
      ],
    },
    nowhere: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl },
    bedrock: { region: 'eu-central-1', baseUrl: upstream.baseUrl, accounts: [{ name: 'aws', apiKey: 'k' }] },
  },
  models: {
    everywhere: { targets: ['nowhere/m', 'up/m'] },
    american: { targets: [{ target: 'up/m', account: 'us' }, 'nowhere/m'] },
    worldwide: { targets: [{ target: 'up/global.m', region: 'global', account: 'eu' }] },
    moving: { targets: [{ target: 'up/old', account: 'eu' }] },
  },
  rollouts: {
    away: {
      ...{
        model: 'moving',
        stable: { target: 'up/old', account: 'eu' },
        steps: [{ weight: 100, hold: '1h' }],
      },
      candidate: { target: 'up/new', account: 'us' },
    },
    reworded: { prompt: 'hello', stable: 1, candidate: 2, steps: [{ weight: 100, hold: '1h' }] },
  },
  prompts: { directory: folder, publish: 'manual' },
  tenants: {
    bound: tenant(TEST_KEY, { regions: ['eu-*'] }),
    free: tenant(FREE_KEY),
    global: tenant(GLOBAL_KEY, { regions: ['global'] }),
    wide: tenant(WIDE_KEY, { regions: ['eu', 'eu-*'] }),
  },
});
after(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true });
});
beforeEach(() => {
  upstream.requests.length = 0;
});

const messages = [{ role: 'user', content: 'Hi' }];

function call(model: string, key = TEST_KEY, path = '/v1/chat/completions', more: object = {}) {
  const headers = { authorization: `Bearer ${key}` };
  return gateway.post(path, { model, messages, ...more }, { headers });
}

function keysUsed(): Set<string> {
  return new Set(
    upstream.requests.map(({ headers }) => headers.authorization?.slice('Bearer '.length) ?? '-'),
  );
}

test('a tenant is served by accounts in its regions alone, others by any', async () => {
  for (let count = 0; count < 10; count++) assert.equal((await call('everywhere')).status, 200);
  assert.deepEqual(keysUsed(), new Set(['key-eu']), 'what says no region is in none');
  for (let count = 0; count < 30; count++) await call('up/m', FREE_KEY);
  assert.deepEqual(keysUsed(), new Set(['key-eu', 'key-us']));
});

test('a call that nobody may serve is refused in the words of its dialect, before anything is sent', async () => {
  const refused = await call('american');
  assert.equal(refused.status, 403);
  const { error } = (await refused.json()) as { error: Record<string, string> };
  assert.equal(error['code'], 'region_not_allowed');
  assert.match(
    String(error['message']),
    /'american' is not served in a region that your tenant allows \(eu-\*\)/,
  );
  const inMessages = await call('american', TEST_KEY, '/v1/messages', { max_tokens: 9 });
  assert.equal(inMessages.status, 403);
  assert.equal(((await inMessages.json()) as { error: { type: string } }).error.type, 'permission_error');
  const form = new FormData();
  form.set('purpose', 'batch');
  form.set('file', new Blob(['{}']), 'a.jsonl');
  const headers = { authorization: `Bearer ${GLOBAL_KEY}`, 'x-fairlead-provider': 'up' };
  const file = await fetch(`${gateway.url}/v1/files`, { method: 'POST', body: form, headers });
  assert.match(await file.text(), /region_not_allowed/);
  assert.equal(upstream.requests.length, 0);
});

test('what a target says of its region goes before what its account says', async () => {
  assert.equal((await call('worldwide')).status, 403);
  assert.equal((await call('worldwide', GLOBAL_KEY)).status, 200);
});

const arn = (region: string, resource: string) => `arn:aws:bedrock:${region}:111122223333:${resource}`;

test('where Bedrock serves a model is read of its name: it is called in one region and may be answered in others', async () => {
  /** By model: who is served by it, of those bound to `eu-*`, to `eu` and `eu-*`, and to `global`. */
  const table: [model: string, ...served: ('bound' | 'wide' | 'global')[]][] = [
    ['anthropic.claude-3-haiku-20240307-v1:0', 'bound', 'wide'],
    ['eu.anthropic.claude-sonnet-4-5-20250929-v1:0', 'wide'],
    ['us.amazon.nova-micro-v1:0'],
    ['us-gov.anthropic.claude-3-haiku-20240307-v1:0'],
    ['apac.amazon.nova-micro-v1:0'],
    ['global.anthropic.claude-sonnet-4-5-20250929-v1:0', 'global'],
    [arn('eu-central-1', 'inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0'), 'global'],
    [arn('eu-central-1', 'inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0'), 'wide'],
    ['arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-micro-v1:0', 'bound', 'wide'],
    ['arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-micro-v1:0'],
    [arn('eu-central-1', 'provisioned-model/abcdefghijkl'), 'bound', 'wide'],
    [arn('us-west-2', 'custom-model-deployment/abcdefghijkl')],
    ['arn:aws:sagemaker:eu-north-1:111122223333:endpoint/my-endpoint', 'bound', 'wide'],
    // What they lead to does not stand in their names.
    [arn('eu-central-1', 'application-inference-profile/abcdefghijkl')],
    [arn('eu-central-1', 'prompt/ABCDEFGHIJ:1')],
    [arn('eu-central-1', 'default-prompt-router/anthropic.claude:1')],
    ['arn:of-some-new-form'],
  ];
  const keys = { bound: TEST_KEY, wide: WIDE_KEY, global: GLOBAL_KEY };
  for (const [model, ...served] of table) {
    for (const [who, key] of Object.entries(keys)) {
      upstream.requests.length = 0;
      const { status } = await call(`bedrock/${model}`, key);
      const isServed = served.some((one) => one === who);
      assert.deepEqual(
        [upstream.requests.length > 0, status === 403],
        [isServed, !isServed],
        `${model} for ${who}`,
      );
    }
  }
});

test('what the candidate of a rollout may not serve stays with the stable, and is on no side', async () => {
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/away/start');
  const stayed = await call('moving');
  assert.deepEqual(
    [stayed.status, stayed.headers.get('x-fairlead-target'), stayed.headers.get('x-fairlead-rollout')],
    [200, 'up/old', null],
  );
  assert.equal((await call('moving', FREE_KEY)).headers.get('x-fairlead-rollout'), 'away=candidate');
});

test('nor is a call of a prompt whose candidate calls a model that may not serve it', async () => {
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/prompts/hello/publish', {});
  await writeFile(join(folder, 'hello.prompt'), promptFile('american'));
  const publish = () => admin.ask('POST', '/prompts/hello/publish', { version: '2', label: 'staging' });
  for (let tries = 0; (await publish()).status !== 200; tries++) {
    assert.ok(tries < 400, 'there is no second version');
    await sleep(25);
  }
  await admin.must('POST', '/rollouts/reworded/start');
  const ask = async (key: string) => {
    const headers = { authorization: `Bearer ${key}` };
    const answer = await gateway.post('/v1/prompts/hello', { word: 'x' }, { headers });
    return ['prompt', 'rollout'].map((name) => answer.headers.get(`x-fairlead-${name}`));
  };
  assert.deepEqual(await ask(TEST_KEY), ['hello@1', null]);
  assert.deepEqual(await ask(FREE_KEY), ['hello@2', 'reworded=candidate']);
});
