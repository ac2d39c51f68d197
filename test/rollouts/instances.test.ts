import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { spawnGateway } from '../support/gateway-process.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { scale } from '../support/scale.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const USERS = Array.from({ length: 60 }, (_, index) => `user-${index}`);

/** A provider whose new model can be broken. */
async function startProvider(context: TestContext) {
  const state = { isBroken: false };
  const upstream = await startRawUpstream((response, body) => {
    const { model } = JSON.parse(body) as { model: string };
    response.setHeader('content-type', 'application/json');
    if (state.isBroken && model === 'new') response.writeHead(500).end('{"error":{"message":"broken"}}');
    else response.end(chatAnswer(`of ${model}`));
  });
  context.after(upstream.close);
  return { state, baseUrl: upstream.baseUrl };
}

function configOf(store: string, baseUrl: string, more: object): string {
  return stringify({
    ...{ store, server: { port: 0 }, ...more },
    providers: { up: { adapter: 'openai-compatible', baseUrl } },
    models: { smart: { targets: ['up/old'], retries: 1 } },
    tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
        steps: [{ weight: 50, hold: '10m' }],
        gates: { p50LatencyRatio: 100 },
      },
    },
  });
}

/** The side that a user's call was on. */
async function sideOf(url: string, user: string): Promise<string | null> {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'smart', user, messages: [{ role: 'user', content: 'Hi' }] }),
  });
  assert.equal(answer.status, 200, await answer.text());
  return answer.headers.get('x-fairlead-rollout');
}

async function standing(url: string): Promise<JsonObject> {
  const { body } = await adminClient(url).must('GET', '/rollouts');
  return (body['data'] as JsonObject[])[0] ?? {};
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 50) {
    if (await check()) return;
    await sleep(50);
  }
  assert.fail(`in vain: ${what}`);
}

async function start(context: TestContext, folder: string, data: string) {
  const gateway = spawnGateway(
    {
      FAIRLEAD_DATA: join(folder, data),
      FAIRLEAD_ADMIN_KEY: ADMIN_KEY,
      FAIRLEAD_CONFIG: join(folder, 'fairlead.yaml'),
    },
    folder,
  );
  context.after(() => gateway.stop());
  return { gateway, url: await gateway.url };
}

onEachDatabaseInTurn((database) => {
  test('three instances share one rollout: the same split, one evidence, one way back', {
    skip: redisMissing || scale<string | false>({ sample: 'its sample is that of upgrades', heavy: false }),
  }, async (context) => {
    const redis = await startRedis();
    context.after(() => redis.close());
    const { state, baseUrl } = await startProvider(context);
    const folder = makeTempDirectory(context);
    const store = await database.makeUrl(context);
    writeFileSync(join(folder, 'fairlead.yaml'), configOf(store, baseUrl, { state: redis.url }));
    const urls: string[] = [];
    for (const data of ['a', 'b', 'c']) urls.push((await start(context, folder, data)).url);
    const [one = '', two = '', three = ''] = urls;

    await adminClient(one).must('POST', '/rollouts/upgrade/start');
    for (const url of [two, three])
      await until('the others hear of it', async () => (await sideOf(url, 'someone')) !== null);
    const splits = await Promise.all(urls.map((url) => Promise.all(USERS.map((user) => sideOf(url, user)))));
    assert.deepEqual(splits[1], splits[0]);
    assert.deepEqual(splits[2], splits[0]);
    assert.equal(new Set(splits[0]).size, 2, 'both sides have users');
    const calls = splits.flat().filter((side) => side === 'upgrade=candidate').length;
    await until(
      'every call is learned from once',
      async () => Number((await standing(two))['candidateCalls']) >= calls,
    );

    state.isBroken = true;
    let isBack = false;
    for (let round = 0; !isBack && round < 50; round++) {
      for (const [index, user] of USERS.entries()) await sideOf(urls[index % 3] ?? '', user);
      isBack = (await standing(three))['phase'] === 'rolled_back';
    }
    assert.ok(isBack, 'it is rolled back by what all of them saw');
    for (const url of urls) {
      await until('everyone has the stable', async () =>
        (await Promise.all(USERS.slice(0, 20).map((user) => sideOf(url, user)))).every(
          (side) => side === null,
        ),
      );
    }
    const { body } = await adminClient(two).must('GET', '/events');
    const kinds = (body['data'] as { kind: string }[]).filter(({ kind }) => kind === 'rollout_rolled_back');
    assert.equal(kinds.length, 1, 'one instance has done it');
  });

  test('a kill in the middle of a step loses neither where it stands nor what is known', async (context) => {
    const { state, baseUrl } = await startProvider(context);
    const folder = makeTempDirectory(context);
    const store = await database.makeUrl(context);
    writeFileSync(join(folder, 'fairlead.yaml'), configOf(store, baseUrl, {}));
    const first = await start(context, folder, 'data');
    await adminClient(first.url).must('POST', '/rollouts/upgrade/start');
    const sides = await Promise.all(USERS.map((user) => sideOf(first.url, user)));
    const candidates = sides.filter((side) => side === 'upgrade=candidate').length;
    // Some are learned from by now, some are in the journal alone.
    await first.gateway.kill();

    const { url } = await start(context, folder, 'data');
    assert.equal((await standing(url))['phase'], 'canary');
    await until(
      'all of them are learned from',
      async () => (await standing(url))['candidateCalls'] === candidates,
    );
    const { body } = await adminClient(url).must('GET', '/rollouts/upgrade/report');
    const [step] = body['steps'] as { stable: { calls: number }; candidate: { calls: number } }[];
    assert.deepEqual(
      [step?.stable.calls, step?.candidate.calls],
      [USERS.length - candidates, candidates],
      'nor what its step came to',
    );
    assert.deepEqual(await Promise.all(USERS.map((user) => sideOf(url, user))), sides);
    await until('and these', async () => (await standing(url))['candidateCalls'] === 2 * candidates);
    state.isBroken = true;
    await until('a broken candidate is out', async () => {
      for (const user of USERS) await sideOf(url, user);
      return (await standing(url))['phase'] === 'rolled_back';
    });
  });
});
