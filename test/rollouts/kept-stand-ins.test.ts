import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

/** By the version of the prompt, how often its model was asked. */
let asked: Record<string, number> = {};
const upstream = await startRawUpstream((response, body) => {
  const { messages, stream } = JSON.parse(body) as { messages: { content: string }[]; stream?: boolean };
  const version = messages[0]?.content.startsWith('old') ? 'old' : 'new';
  asked[version] = (asked[version] ?? 0) + 1;
  const said = version === 'old' ? `{"kind":"answer ${asked['old']}"}` : '{"kind":7}';
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  if (stream) response.end(`${chatChunk(said)}${chatChunk('', 'stop')}data: [DONE]\n\n`);
  else response.end(chatAnswer(said));
});

const folder = await mkdtemp(join(tmpdir(), 'fairlead-prompts-'));
const write = (text: string) =>
  writeFile(
    join(folder, 'sort.prompt'),
    `---
model: up/m
input: { schema: { text: string } }
output: { schema: { kind: string } }
fairlead.repairs: 0
cache: { ttl: 1h }
---
${text} {{text}}
`,
  );
await write('old');
const gateway = await startGateway({
  providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  prices: { 'up/*': { input: 1, output: 1 } },
  prompts: { directory: folder, publish: 'manual' },
  rollouts: {
    sort: {
      ...{ prompt: 'sort', stable: 1, candidate: 2, steps: [{ weight: 100, hold: '10m' }] },
      gates: { minCalls: 1000 },
    },
  },
  tenants: { acme: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
});
after(async () => {
  await gateway.stop();
  await upstream.close();
  await rm(folder, { recursive: true });
});
const admin = adminClient(gateway.url);
await admin.must('POST', '/prompts/sort/publish', {});
await write('new');
for (let looks = 0; looks < 800; looks += 1) {
  const { status } = await admin.ask('POST', '/prompts/sort/publish', { version: 2, label: 'staging' });
  if (status === 200) break;
  await sleep(25);
}
await admin.must('POST', '/rollouts/sort/start');
beforeEach(() => {
  asked = {};
});

async function read(answer: Response) {
  const header = (name: string) => answer.headers.get(`x-fairlead-${name}`);
  const [cache, version, side] = [header('cache'), header('prompt'), header('rollout')];
  const id = answer.headers.get('x-request-id');
  return { cache, version, side, id, text: await answer.text() };
}

const call = async (text: string, query = '', init?: RequestInit) =>
  read(await gateway.post(`/v1/prompts/sort${query}`, { text }, init));

test('what the stable version answers in the place of the candidate is kept, and given again', async () => {
  const first = await call('x');
  assert.deepEqual(
    [first.cache, first.version, first.side, first.text],
    ['miss', 'sort@1', 'sort=candidate', '{"kind":"answer 1"}'],
  );
  const again = await call('x');
  assert.deepEqual(
    [again.cache, again.version, again.side, again.text],
    ['hit', 'sort@1', 'sort=candidate', '{"kind":"answer 1"}'],
  );
  // What the candidate makes of it is not known beforehand.
  assert.deepEqual(asked, { new: 2, old: 1 });
  const [record] = await gateway.calls(2);
  assert.equal(record?.id, again.id);
  assert.deepEqual([record?.target, record?.prompt, record?.saved?.tokens], [null, 'sort@1', 5]);
  // The candidate was asked, and that is paid.
  assert.equal(record?.attempts.length, 1);
  assert.equal(record?.costMicroUsd, 5);
  assert.deepEqual(record?.rollout?.flags, ['failed', 'stood_in', 'output_judged', 'output_invalid']);
});

test('a stream, a model and another format have the same', async () => {
  await call('y');
  const stream = await call('y', '?stream=true');
  assert.equal(stream.cache, 'hit');
  assert.match(stream.text, /event: output\ndata: {"output":{"kind":"answer 1"}/);
  assert.deepEqual(asked, { new: 2, old: 1 });
  const asModel = await read(
    await gateway.post('/v1/chat/completions', {
      model: 'prompt/sort',
      messages: [],
      metadata: { text: 'y' },
    }),
  );
  // Its answer is not held against the schema of the output: the candidate answers.
  assert.deepEqual([asModel.version, asModel.cache], ['sort@2', 'miss']);
});

test('calls for one answer at the same time ask the stable version once', async () => {
  const answers = await Promise.all(Array.from({ length: 6 }, () => call('z')));
  assert.deepEqual(new Set(answers.map(({ text }) => text)), new Set(['{"kind":"answer 1"}']));
  assert.equal(asked['old'], 1);
});

test('a caller can have nothing kept of it', async () => {
  await call('w');
  const anew = await call('w', '', { headers: { 'cache-control': 'no-store' } });
  assert.deepEqual([anew.cache, anew.text], ['miss', '{"kind":"answer 2"}']);
});
