import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { rehearseCommand } from '../../src/cli/rehearse.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { readRolloutNote, writeRolloutNote } from '../../src/usage/rollout-note.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabase } from '../support/databases.ts';
import { ADMIN_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

interface Provider extends RawUpstream {
  /** What the judge was asked. */
  prompts(): string[];
}

/** A judge that finds the answers of the new model worse, wherever they stand; `says` may change its words. */
async function startProvider(
  context: TestContext,
  scoreOfNew: number,
  says: (scores: string, asked: number) => string | Promise<string> = (scores) => scores,
): Promise<Provider> {
  const prompts: string[] = [];
  const upstream = await startRawUpstream(async (response, body) => {
    const { model, stream, messages } = JSON.parse(body) as {
      model: string;
      stream?: boolean;
      messages: { content: string }[];
    };
    response.setHeader('content-type', 'application/json');
    if (model === 'judge') {
      const prompt = messages.at(-1)?.content ?? '';
      prompts.push(prompt);
      const isNewFirst = prompt.indexOf('of new') < prompt.indexOf('of old');
      const [a, b] = isNewFirst ? [scoreOfNew, 8] : [8, scoreOfNew];
      response.end(chatAnswer(await says(JSON.stringify({ a, b }), prompts.length)));
    } else if (stream) {
      response.setHeader('content-type', 'text/event-stream');
      response.end(`${chatChunk(`of ${model}`)}${chatChunk('', 'stop')}data: [DONE]\n\n`);
    } else response.end(chatAnswer(`of ${model}`));
  });
  context.after(upstream.close);
  return { ...upstream, prompts: () => prompts };
}

async function start(
  context: TestContext,
  { baseUrl }: RawUpstream,
  { judge = {}, store }: { judge?: object; store?: string } = {},
): Promise<TestGateway> {
  const gateway = await startGateway({
    ...(store !== undefined && { store }),
    providers: { up: { adapter: 'openai-compatible', baseUrl } },
    models: { smart: { targets: ['up/old'], retries: 0 }, critic: { targets: ['up/judge'], retries: 0 } },
    prices: { 'up/*': { input: 1, output: 1 } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new', shadow: { share: 1, hold: '10m' } },
        gates: {
          ...{ minCalls: 5, p50LatencyRatio: 1_000, p50FirstTokenRatio: 1_000 },
          judge: { model: 'critic', ...judge },
        },
      },
    },
  });
  context.after(gateway.stop);
  return gateway;
}

async function ask(gateway: TestGateway, more: object = {}): Promise<void> {
  const messages = [{ role: 'user', content: 'Hi' }];
  const answer = await gateway.post('/v1/chat/completions', { model: 'smart', messages, ...more });
  assert.equal(answer.status, 200, await answer.text());
}

async function standing(gateway: TestGateway): Promise<JsonObject> {
  const { body } = await adminClient(gateway.url).must('GET', '/rollouts');
  return (body['data'] as JsonObject[])[0] ?? {};
}

async function reportOf(gateway: TestGateway): Promise<JsonObject> {
  return (await adminClient(gateway.url).must('GET', '/rollouts/upgrade/report')).body;
}

async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 25) {
    if (await check()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
}

/** Calls are made until the rollout is rolled back, streamed ones and others, no faster than they are judged. */
async function rollsBack(gateway: TestGateway, provider: Provider): Promise<void> {
  let calls = 0;
  await until('it is rolled back', async () => {
    await ask(gateway, { stream: calls % 2 === 1 });
    calls += 1;
    return (await standing(gateway))['phase'] === 'rolled_back';
  });
  assert.ok(provider.prompts().length >= 5, `${provider.prompts().length} pairs were judged of ${calls}`);
}

onEachDatabase((database) => {
  test('a candidate whose answers a judge finds worse is rolled back for that, and the judge is the operator’s to pay', async (context) => {
    const provider = await startProvider(context, 2);
    const gateway = await start(context, provider, { store: await database.makeUrl(context) });
    await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
    await rollsBack(gateway, provider);
    const { reason } = await standing(gateway);
    const failure = (reason as JsonObject)['failure'] as JsonObject;
    assert.deepEqual([failure['gate'], failure['what']], ['compared', 'judge scores']);
    const newFirst = provider
      .prompts()
      .filter((prompt) => prompt.indexOf('of new') < prompt.indexOf('of old'));
    assert.ok(newFirst.length > 0 && newFirst.length < provider.prompts().length, 'their order is of chance');
    const records = (await gateway.calls()).filter(({ key }) => key === 'judge');
    const [record] = records;
    assert.ok(record?.tenant === '(operator)' && record.model === 'critic' && (record.costMicroUsd ?? 0) > 0);
    assert.ok(
      records.some(({ rollout }) => rollout?.scores?.stable === 0.8 && rollout.scores.candidate === 0.2),
      JSON.stringify(records.map(({ rollout }) => rollout)),
    );
  });
});

test('a limit on what a judge finds holds for a candidate that is as bad as its stable', async (context) => {
  const provider = await startProvider(context, 8);
  const gateway = await start(context, provider, { judge: { minScore: 0.95 } });
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  await rollsBack(gateway, provider);
  const { reason } = await standing(gateway);
  assert.equal(((reason as JsonObject)['failure'] as JsonObject)['gate'], 'judge');
});

test('what a judge says that cannot be read is asked for again, left out and counted', async (context) => {
  // The first pair is never scored; of the second the second try is.
  const provider = await startProvider(context, 7, (scores, asked) => (asked === 5 ? scores : 'A is nice.'));
  const gateway = await start(context, provider);
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  await ask(gateway);
  await until('it is asked three times', () => provider.prompts().length === 3);
  await sleep(200);
  assert.equal(provider.prompts().length, 3);
  await ask(gateway);
  await until('they are counted', async () => (await reportOf(gateway))['unreadScores'] === 4);
  assert.equal(provider.prompts().length, 5);
  const { candidateCalls, phase } = await standing(gateway);
  assert.deepEqual([candidateCalls, phase], [2, 'shadow'], 'a judge is no call of the candidate');
});

test('a judge sees the share of pairs that it is to', async (context) => {
  const provider = await startProvider(context, 8);
  const gateway = await start(context, provider, { judge: { share: 0 } });
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  for (let call = 0; call < 5; call += 1) await ask(gateway);
  await gateway.calls(10);
  await sleep(200);
  assert.equal(provider.prompts().length, 0);
});

test('a rehearsal is judged, too', async (context) => {
  const provider = await startProvider(context, 1);
  const gateway = await start(context, provider);
  const file = join(makeTempDirectory(context), 'calls.jsonl');
  const line = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] });
  await writeFile(file, `${line}\n`.repeat(30));
  let out = '';
  const io = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: () => true },
    ...{ env: { FAIRLEAD_ADMIN_KEY: ADMIN_KEY, FAIRLEAD_URL: gateway.url }, cwd: '/' },
  };
  const code = await rehearseCommand.run(['upgrade', '--calls', file, '--json'], io);
  assert.equal(code, 1, out);
  const { failure } = JSON.parse(out) as { failure: JsonObject };
  assert.equal(failure['what'], 'judge scores');
  assert.equal(provider.prompts().length, 30);
  assert.equal((await standing(gateway))['candidateCalls'], 0);
});

test('a rehearsal takes no place of the pairs that the rollout learns from', async (context) => {
  const held = Promise.withResolvers<void>();
  const provider = await startProvider(context, 8, async (scores, asked) => {
    if (asked <= 4) await held.promise;
    return scores;
  });
  const gateway = await start(context, provider);
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/upgrade/start');
  const body = { messages: [{ role: 'user', content: 'Hi' }] };
  const rehearsed = [1, 2, 3, 4].map(() => admin.must('POST', '/rollouts/upgrade/rehearsal', { body }));
  await until('four rehearsed pairs are judged', () => provider.prompts().length === 4);
  await ask(gateway);
  try {
    await until('a copy is judged meanwhile', () => provider.prompts().length === 5);
  } finally {
    held.resolve();
    await Promise.all(rehearsed);
  }
});

test('a rehearsal says how many pairs its judge could not score', async (context) => {
  const provider = await startProvider(context, 8, () => 'Both are fine.');
  const gateway = await start(context, provider);
  const file = join(makeTempDirectory(context), 'calls.jsonl');
  const line = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] });
  await writeFile(file, `${line}\n`.repeat(2));
  let out = '';
  const io = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: () => true },
    ...{ env: { FAIRLEAD_ADMIN_KEY: ADMIN_KEY, FAIRLEAD_URL: gateway.url }, cwd: '/' },
  };
  assert.equal(await rehearseCommand.run(['upgrade', '--calls', file], io), 0);
  assert.match(out, /2 pairs were not scored/);
  assert.equal(provider.prompts().length, 6, 'each three times');
});

test('scores are written with a note and read from it', () => {
  const note = {
    name: 'a',
    side: 'candidate',
    flags: ['judged'],
    scores: { stable: 0.85, candidate: 1 },
  } as const;
  assert.equal(writeRolloutNote(note), 'a=candidate judged scores:0.85:1');
  assert.deepEqual(readRolloutNote(writeRolloutNote(note)), note);
});
