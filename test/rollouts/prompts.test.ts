import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { rolloutsCommand } from '../../src/cli/rollouts.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { adminClient } from '../support/admin.ts';
import { ADMIN_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { BETTER, KIND, PROMPTS, ROLLOUTS } from '../support/rollout-prompts.ts';

/** Does what the prompt says: `Answer X`. */
const upstream = await startRawUpstream((response, body) => {
  const { messages, stream } = JSON.parse(body) as { messages: { content: string }[]; stream?: boolean };
  const said = messages.map(({ content }) => content).join(' ');
  const answer = /.*Answer (.*)\./s.exec(said)?.[1] ?? 'nothing';
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  if (stream) response.end(`${chatChunk(answer)}${chatChunk('', 'stop')}data: [DONE]\n\n`);
  else response.end(chatAnswer(answer));
});
after(upstream.close);

const folder = await mkdtemp(join(tmpdir(), 'fairlead-prompts-'));
const write = (version: 0 | 1) =>
  Promise.all(
    Object.entries(PROMPTS).map(([name, files]) => writeFile(join(folder, `${name}.prompt`), files[version])),
  );
await write(0);
const gateway = await startGateway({
  providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  prices: { 'up/*': { input: 1, output: 1 } },
  models: { smart: { targets: ['up/old'] } },
  prompts: { directory: folder, publish: 'manual' },
  rollouts: ROLLOUTS,
  tenants: { acme: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
});
after(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true });
});
const admin = adminClient(gateway.url);

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1600; tries++) {
    if (await holds()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
}

for (const name of Object.keys(PROMPTS)) await admin.must('POST', `/prompts/${name}/publish`, {});
const early = await admin.ask('POST', '/rollouts/narrow/start');
await write(1);
for (const name of Object.keys(PROMPTS)) {
  const publish = () => admin.ask('POST', `/prompts/${name}/publish`, { version: '2', label: 'staging' });
  await until(`the second version of ${name}`, async () => (await publish()).status === 200);
}

interface Answered {
  status: number;
  version: string | null;
  side: string | null;
  release: string | null;
  text: string;
}

async function call(reference: string, user: string, path = ''): Promise<Answered> {
  const headers = { 'x-fairlead-session': user };
  const answer = await gateway.post(`/v1/prompts/${reference}${path}`, { text: `of ${user}` }, { headers });
  const header = (name: string) => answer.headers.get(`x-fairlead-${name}`);
  const [version, side, release] = [header('prompt'), header('rollout'), header('release')];
  return { status: answer.status, version, side, release, text: await answer.text() };
}

async function standing(rollout: string): Promise<Record<string, unknown>> {
  const { body } = await admin.must('GET', `/rollouts/${rollout}/report`);
  return body;
}

/** Users that call one after another, until a rollout has come to a phase. */
async function callUntil(rollout: string, phase: string, users = 300): Promise<Answered[]> {
  const all: Answered[] = [];
  let isOver = false;
  const loop = async (first: number) => {
    for (let user = first; !isOver; user = (user + 3) % users) all.push(await call(rollout, `u${user}`));
  };
  const loops = [0, 1, 2].map(loop);
  try {
    await until(`${rollout} is ${phase}`, async () => (await standing(rollout))['phase'] === phase);
  } finally {
    isOver = true;
    await Promise.all(loops);
  }
  return all;
}

async function recordsOf(prompt: string, count: number): Promise<UsageRecord[]> {
  let found: UsageRecord[] = [];
  await until(`${count} records of ${prompt}`, async () => {
    const { body } = await admin.must('GET', `/calls?rollout=${prompt}&limit=1000`);
    found = body['data'] as unknown as UsageRecord[];
    return found.length >= count;
  });
  return found;
}

test('the label of a prompt goes from 1 % to everyone, step by step, and no client notices', async () => {
  assert.equal((await call('good', 'u1')).side, null, 'a draft decides about nothing');
  await admin.must('POST', '/rollouts/good/start');
  const all = await callUntil('good', 'promoted');
  assert.deepEqual([...new Set(all.map(({ status }) => status))], [200]);
  const ways = new Set(all.map(({ version, side, text }) => `${side} ${version} ${text}`));
  assert.deepEqual([...ways].toSorted(), [`good=candidate good@2 ${BETTER}`, `good=stable good@1 ${KIND}`]);
  const { prompt, label, stable, candidate, verdict } = await standing('good');
  assert.deepEqual([prompt, label, verdict], ['good', 'production', 'kept']);
  const releases = [stable, candidate].map((side) => side as Record<string, unknown>);
  assert.deepEqual(
    releases.map(({ release, version }) => [release, version]),
    [
      [1, 'good@1'],
      [2, 'good@2'],
    ],
  );
  assert.match(String(releases[1]?.['hash']), /^[0-9a-f]{64}$/);
  const labels = async () => {
    const { body } = await admin.must('GET', '/prompts/good');
    return body['labels'] as Record<string, unknown>[];
  };
  const production = (await labels()).find((one) => one['label'] === 'production');
  assert.deepEqual([production?.['version'], production?.['author']], [2, 'rollout good']);
  // The way back is there on the next call.
  await admin.must('POST', '/rollouts/good/rollback');
  const back = await call('good', 'u1');
  assert.deepEqual(back, { status: 200, version: 'good@1', side: null, release: null, text: KIND });
  await until('the label points back', async () =>
    (await labels()).some((one) => one['label'] === 'production' && one['version'] === 1),
  );
  // A label that somebody moves goes before it.
  await admin.must('POST', '/prompts/good/promote', { version: '2' });
  assert.equal((await call('good', 'u1')).version, 'good@2');
  const { body } = await admin.must('GET', '/events?limit=1000');
  const events = (body['data'] as { kind: string; details: Record<string, unknown> }[]).filter(
    ({ details }) => details['rollout'] === 'good',
  );
  assert.ok(events.some(({ kind }) => kind === 'rollout_canary'));
  assert.deepEqual([events[0]?.details['prompt'], events[0]?.details['label']], ['good', 'production']);
});

test('a version that breaks its output schema is rolled back, and its users are answered by the other one', async () => {
  await admin.must('POST', '/rollouts/broken/start');
  const first = await Promise.all(Array.from({ length: 9 }, (_, user) => call('broken', `u${user}`)));
  const chosen = first.findIndex(({ side }) => side === 'broken=candidate');
  const streamed = await call('broken', `u${chosen}`, '?stream=true');
  assert.deepEqual([streamed.version, streamed.side], ['broken@1', 'broken=candidate']);
  assert.match(streamed.text, /event: output\ndata: \{"output":\{"kind":"bug"\}/);
  assert.ok(!streamed.text.includes('event: error'));
  const all = await callUntil('broken', 'rolled_back');
  assert.deepEqual([...new Set(all.map(({ status, text }) => `${status} ${text}`))], [`200 ${KIND}`]);
  assert.deepEqual([...new Set(all.map(({ version }) => version))], ['broken@1']);
  const releases = new Set(all.flatMap(({ side, release }) => (side === null ? [] : [`${side} ${release}`])));
  assert.deepEqual([...releases].toSorted(), ['broken=candidate 2', 'broken=stable 1']);
  assert.ok(all.some(({ side }) => side === 'broken=candidate'));
  const { reason, gates } = await standing('broken');
  const { what } = (reason as { failure: { what: string } }).failure;
  const failed = (gates as { what: string; verdict: string }[]).filter(({ verdict }) => verdict === 'failed');
  assert.ok(['errors', 'invalid outputs'].includes(what), what);
  assert.ok(failed.some((gate) => gate.what === what));
  const record = (await recordsOf('broken', 20)).find(({ rollout }) => rollout?.side === 'candidate');
  assert.deepEqual(record?.rollout?.flags, ['failed', 'stood_in', 'output_judged', 'output_invalid']);
  assert.deepEqual(
    record?.attempts.map(({ outcome, reason: why }) => [outcome, why]),
    [
      ['upstream_unavailable', 'invalid_output'],
      ['ok', undefined],
    ],
  );
  assert.deepEqual([record?.prompt, record?.outcome, record?.usage?.input], ['broken@1', 'ok', 6]);
  assert.equal(record?.rollout?.release, 2);
  const { body } = await admin.must('GET', '/usage?by=side&tenant=acme');
  const sums = (body['data'] as { side: string | null; calls: number }[]).filter(({ side }) =>
    side?.startsWith('broken='),
  );
  assert.deepEqual(
    sums.map(({ side, calls }) => [side, calls > 5]),
    [
      ['broken=candidate', true],
      ['broken=stable', true],
    ],
  );
  assert.equal((await call('broken', 'u1')).side, null);
});

test('input that only the candidate refuses is the failure of that, and what both refuse is nobody’s', async () => {
  assert.equal(early.status, 409);
  assert.match(early.body.error?.message ?? '', /cannot start: there is no version 'narrow@2'/);
  await admin.must('POST', '/rollouts/narrow/start');
  const sides: Record<string, string> = {};
  for (let user = 0; Object.keys(sides).length < 2; user += 1) {
    const { side, status, version } = await call('narrow', `u${user}`);
    assert.deepEqual([status, version], [200, 'narrow@1']);
    sides[String(side)] = `u${user}`;
  }
  for (const user of Object.values(sides)) {
    const headers = { 'x-fairlead-session': user };
    const refused = await gateway.post('/v1/prompts/narrow', { other: 1 }, { headers });
    assert.deepEqual([refused.status, refused.headers.get('x-fairlead-rollout')], [400, null]);
  }
  const chosen = sides['narrow=candidate'] ?? '';
  // In a dialect, and as a model, the same.
  assert.match((await call('narrow', chosen, '?format=chat')).text, /\\"bug\\"/);
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: 'x' }];
  const { response } = await client.chat.completions
    .create({ model: 'prompt/narrow', messages }, { headers: { 'x-fairlead-session': chosen } })
    .withResponse();
  assert.equal(response.headers.get('x-fairlead-rollout'), 'narrow=candidate');
  assert.equal(response.headers.get('x-fairlead-prompt'), 'narrow@1');
  // A version that is named is of no side, nor is another label.
  assert.equal((await call('narrow@1', chosen)).side, null);
  assert.equal((await call('narrow@staging', chosen)).status, 400);
  const records = await recordsOf('narrow', 4);
  for (const { rollout } of records) {
    const flags = rollout?.side === 'candidate' ? ['failed', 'stood_in'] : ['read', 'output_judged'];
    assert.deepEqual(rollout?.flags, flags);
  }
});

test('copies are what the candidate makes of the same input, and a judge is shown both answers', async () => {
  await admin.must('POST', '/rollouts/copied/start');
  upstream.requests.length = 0;
  for (const user of ['u1', 'u2']) assert.equal((await call('copied', user)).side, 'copied=stable');
  const records = await recordsOf('copied', 6);
  const copies = records.filter(({ rollout }) => rollout?.flags.includes('copied'));
  assert.deepEqual(
    copies.map(({ tenant, prompt, rollout }) => [tenant, prompt, rollout?.flags]),
    Array(2).fill(['(operator)', 'copied@2', ['copied', 'read', 'output_judged']]),
  );
  const sums = await admin.must('GET', '/usage?by=side&tenant=(operator)');
  assert.deepEqual(
    (sums.body['data'] as { side: string; calls: number }[]).map(({ side, calls }) => [side, calls]),
    [
      ['copied=copy', 2],
      ['copied=judge', 2],
    ],
  );
  const judged = records.filter(({ key }) => key === 'judge');
  assert.deepEqual(
    judged.map(({ prompt, rollout }) => [prompt, Object.values(rollout?.scores ?? {}).toSorted()]),
    Array(2).fill(['pair@1', [0.25, 0.75]]),
  );
  const shown = upstream.requests.filter(({ body }) => body.includes(' judge '));
  assert.ok(
    shown.length === 2 && shown.every(({ body }) => body.includes('better') && body.includes('of u')),
  );
  // A prompt that does not take what a judge is shown scores nothing, and that is counted.
  await admin.must('POST', '/prompts/pair/promote', { version: '2' });
  await call('copied', 'u3');
  await until('a pair is unread', async () => (await standing('copied'))['unreadScores'] === 1);
});

test('a label that somebody moves away goes before the rollout', async () => {
  await admin.must('POST', '/rollouts/taken/start');
  assert.equal((await call('taken', 'u1')).side, 'taken=candidate');
  await admin.must('POST', '/prompts/taken/promote', { version: '2' });
  const moved = await call('taken', 'u1');
  assert.deepEqual([moved.version, moved.side], ['taken@2', null]);
  await admin.must('POST', '/rollouts/taken/rollback');
  assert.equal((await call('taken', 'u1')).version, 'taken@1', 'what was done last holds');
});

test('one that is made by the admin API is the same, and stays what it is while it is under way', async () => {
  const steps = [{ weight: 100, hold: '10m' }];
  const body = { prompt: 'made', label: 'staging', stable: 'staging', candidate: 1, steps };
  await admin.must('PUT', '/rollouts/back', body);
  const { stable, candidate } = await standing('back');
  assert.deepEqual(
    [stable, candidate],
    [
      { release: 2, version: 'made@staging' },
      { release: 1, version: 'made@1' },
    ],
  );
  await admin.must('POST', '/rollouts/back/start');
  const changed = await admin.ask('PATCH', '/rollouts/back', { label: 'production' });
  assert.deepEqual([changed.status, changed.body.error?.code], [409, 'rollout_under_way']);
  assert.equal((await call('made', 'u1')).side, null, 'it is about another label');
  const moved = await call('made@staging', 'u1');
  assert.deepEqual([moved.version, moved.side, moved.text], ['made@1', 'back=candidate', KIND]);
  await admin.must('POST', '/rollouts/back/pause');
  assert.equal((await call('made@staging', 'u1')).side, 'back=candidate');
  await admin.must('POST', '/rollouts/back/promote');
  assert.equal((await call('made@staging', 'u1')).version, 'made@1');
  await until('its label points there', async () => {
    const { body } = await admin.must('GET', '/prompts/made');
    return (body['labels'] as { label: string; version: number }[]).some(
      ({ label, version }) => label === 'staging' && version === 1,
    );
  });
  // Once its label leads elsewhere, it can be moved again.
  const again = await admin.ask('POST', '/rollouts/back/start');
  assert.deepEqual([again.status, again.body.error?.code], [409, 'prompt_version']);
  assert.match(again.body.error?.message ?? '', /both of its sides are version 1 of 'made'/);
  await admin.must('POST', '/prompts/made/promote', { version: '2', label: 'staging' });
  const begun = await admin.must('POST', '/rollouts/back/start');
  assert.equal(begun.body['phase'], 'canary');
  assert.equal((await call('made@staging', 'u1')).version, 'made@1');
  await admin.must('POST', '/rollouts/back/promote');
  await admin.must('DELETE', '/rollouts/back');
  await until('its label stays', async () => (await call('made@staging', 'u1')).version === 'made@1');
});

test('a call whose prompt and model are both in a rollout goes where both say, and is evidence of one', async () => {
  await admin.must('POST', '/rollouts/model/start');
  await admin.must('POST', '/rollouts/both/start');
  const targetAndSide = async () => {
    const answer = await gateway.post('/v1/prompts/both', { text: 'x' });
    return ['target', 'prompt', 'rollout'].map((name) => answer.headers.get(`x-fairlead-${name}`));
  };
  assert.deepEqual(await targetAndSide(), ['up/new', 'both@2', 'both=candidate']);
  await admin.must('POST', '/rollouts/both/promote');
  assert.deepEqual(await targetAndSide(), ['up/new', 'both@2', 'model=candidate'], 'the prompt has moved');
  assert.equal((await recordsOf('model', 1)).length, 1);
});

test('answers that are kept are those of their version', async () => {
  await admin.must('POST', '/rollouts/cached/start');
  const texts: Record<string, string> = {};
  const headers = (user: string) => ({ 'x-fairlead-session': user });
  for (let user = 0; Object.keys(texts).length < 2; user += 1) {
    for (let again = 0; again < 2; again += 1) {
      const answer = await gateway.post(
        '/v1/prompts/cached',
        { text: 'same' },
        { headers: headers(`u${user}`) },
      );
      texts[answer.headers.get('x-fairlead-rollout') ?? ''] = await answer.text();
      if (again > 0) assert.equal(answer.headers.get('x-fairlead-cache'), 'hit');
    }
  }
  assert.deepEqual(texts, { 'cached=stable': KIND, 'cached=candidate': BETTER });
});

test('the command line names the label and its versions', async () => {
  let stdout = '';
  const io = {
    ...{ stdout: { write: (text: string) => (stdout += text) }, stderr: { write: () => undefined } },
    ...{ env: { FAIRLEAD_URL: gateway.url, FAIRLEAD_ADMIN_KEY: ADMIN_KEY }, cwd: '.' },
  };
  assert.equal(await rolloutsCommand.run(['list'], io), 0);
  assert.match(stdout, /cached +cached@production +cached@1 +cached@2 +canary/);
  stdout = '';
  assert.equal(await rolloutsCommand.run(['status', 'copied'], io), 0);
  assert.match(stdout, /^answers of the judge that could not be read, and were left out: 1$/m);
  const rehearsed = await admin.ask('POST', '/rollouts/cached/rehearsal', { call: 'x' });
  assert.match(rehearsed.body.error?.message ?? '', /only those of models are rehearsed/);
});
