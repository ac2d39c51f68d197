import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import OpenAI from 'openai';
import { stringify } from 'yaml';
import { Evidence } from '../../src/rollouts/evidence.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { adminClient } from '../support/admin.ts';
import { postgres } from '../support/databases.ts';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { spawnGateway } from '../support/gateway-process.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { scale } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

/*
 * A model goes from one user in a hundred to everyone, end to end: gateways in processes of their own, which share their state and their
 * store where there are several, and clients that call one after another with OpenAI's SDK.
 */

const USERS = 400;
const LOOPS = scale({ sample: 2, heavy: 4 });
/** Between the calls of a loop: a sample leaves the machine to others. */
const PAUSE_MS = scale({ sample: 15, heavy: 0 });
const HOLD = scale({ sample: '1s', heavy: '8s' });
const STEPS = [1, 10, 25, 50, 100].map((weight) => ({ weight, hold: HOLD }));
const GATES = { minCalls: scale({ sample: 5, heavy: 50 }), p50LatencyRatio: 100, p50FirstTokenRatio: 100 };
const BAD_AT = 25;

/** A provider whose new model turns bad when it is told to. */
async function startProvider(context: TestContext) {
  const state = { isBad: false };
  const upstream = await startRawUpstream((response, body) => {
    const { model, stream } = JSON.parse(body) as { model: string; stream?: boolean };
    response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
    if (state.isBad && model === 'new') response.writeHead(500).end('{"error":{"message":"broken"}}');
    else if (stream) response.end(`${chatChunk(`of ${model}`)}${chatChunk('', 'stop')}data: [DONE]\n\n`);
    else response.end(chatAnswer(`of ${model}`));
  });
  context.after(upstream.close);
  return { state, baseUrl: upstream.baseUrl };
}

async function startInstances(context: TestContext, baseUrl: string, count: number): Promise<string[]> {
  const folder = makeTempDirectory(context);
  const shared = count > 1 ? await shareState(context) : {};
  const config = {
    ...{ server: { port: 0 }, ...shared },
    providers: { up: { adapter: 'openai-compatible', baseUrl } },
    tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
  };
  writeFileSync(join(folder, 'fairlead.yaml'), stringify(config));
  const urls: string[] = [];
  for (let index = 0; index < count; index++) {
    const env = { FAIRLEAD_ADMIN_KEY: ADMIN_KEY, FAIRLEAD_DATA: join(folder, `data-${index}`) };
    const gateway = spawnGateway({ ...env, FAIRLEAD_CONFIG: join(folder, 'fairlead.yaml') }, folder);
    context.after(() => gateway.stop());
    urls.push(await gateway.url);
  }
  // Not in the file: what the end of the rollout writes is to be seen.
  await adminClient(urls[0] ?? '').must('PUT', '/config', {
    models: { smart: { targets: ['up/old'], retries: 0 } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
        ...{ steps: STEPS, gates: GATES },
      },
    },
  });
  for (const url of urls) await until('the model is there', async () => (await targetsOf(url)).length > 0);
  return urls;
}

async function shareState(context: TestContext): Promise<object> {
  const redis = await startRedis();
  context.after(() => redis.close());
  return { store: await postgres.makeUrl(context), state: redis.url };
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 60_000; waited += 25) {
    if (await check()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
}

async function targetsOf(url: string): Promise<unknown[]> {
  const { body } = await adminClient(url).ask('GET', '/models/smart');
  return Array.isArray(body['targets']) ? body['targets'] : [];
}

interface Standing {
  phase: string;
  weight: number;
  reason?: { failure?: { what: string } };
}

async function standing(url: string): Promise<Standing> {
  const { body } = await adminClient(url).must('GET', '/rollouts');
  return (body['data'] as unknown as Standing[])[0] as Standing;
}

interface Seen {
  /** The user, and the instance that was called: others hear of a step within a second. */
  who: string;
  side: string | null;
}

/** Users who call at any of the instances, with OpenAI's SDK, whole and streamed. */
function callInLoops(urls: readonly string[]) {
  const failed: unknown[] = [];
  /** Users and sides, in the order of their calls. */
  const seen: Seen[] = [];
  let isStopped = false;
  const clients = urls.map(clientOf);
  const loops = urls.flatMap(() => Array.from({ length: LOOPS }, (_, index) => index));
  const loop = async (seed: number) => {
    const random = seeded(seed + 1);
    while (!isStopped) {
      if (PAUSE_MS > 0) await sleep(PAUSE_MS);
      const user = Math.floor(random() * USERS);
      const at = Math.floor(random() * clients.length);
      try {
        const side = await sideOf(clients[at] as OpenAI, user, random() < 0.3);
        seen.push({ who: `u${user} at ${at}`, side });
      } catch (error) {
        failed.push(error);
      }
    }
  };
  const running = loops.map((_, seed) => loop(seed));
  const stop = async () => {
    isStopped = true;
    await Promise.all(running);
  };
  return { failed, seen, stop };
}

function clientOf(url: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
}

async function sideOf(client: OpenAI, user: number, stream: boolean): Promise<string | null> {
  const asked = { model: 'smart', user: `u${user}`, messages: [{ role: 'user' as const, content: 'Hi' }] };
  if (!stream) {
    const { data, response } = await client.chat.completions.create(asked).withResponse();
    assert.match(data.choices[0]?.message.content ?? '', /^of (?:old|new)$/);
    return response.headers.get('x-fairlead-rollout');
  }
  const { data, response } = await client.chat.completions.create({ ...asked, stream: true }).withResponse();
  let text = '';
  for await (const { choices } of data) text += choices[0]?.delta.content ?? '';
  assert.match(text, /^of (?:old|new)$/);
  return response.headers.get('x-fairlead-rollout');
}

/** At one step, who is on which side at each instance; `undefined` where they were not all at one step meanwhile. */
async function splitAt(urls: readonly string[]): Promise<{ weight: number; splits: string[] } | undefined> {
  const stepOf = async () =>
    JSON.stringify((await Promise.all(urls.map(standing))).map(({ phase, weight }) => [phase, weight]));
  const before = await stepOf();
  const splits = await Promise.all(
    urls.map(async (url) => {
      const client = clientOf(url);
      const sides: string[] = [];
      for (let user = 0; user < 25; user++) sides.push(String(await sideOf(client, user, false)));
      return sides.join();
    }),
  );
  const steps = JSON.parse(before) as [string, number][];
  const isOne = steps.every((step) => isDeepStrictEqual(step, steps[0])) && before === (await stepOf());
  return isOne ? { weight: steps[0]?.[1] ?? 0, splits } : undefined;
}

/** Goes along until it ends, or everyone is at a step; every split that was seen is the same everywhere. */
async function goAlong(urls: readonly string[], isThere: (at: Standing) => boolean): Promise<Set<number>> {
  const weights = new Set<number>();
  const [one = ''] = urls;
  for (let rounds = 0; rounds < 2_000; rounds++) {
    const at = await standing(one);
    if (isThere(at)) return weights;
    assert.notEqual(at.phase, 'rolled_back', JSON.stringify(at));
    // It stands still for so long; it may have ended just before.
    const paused = weights.has(at.weight)
      ? undefined
      : await adminClient(one).ask('POST', '/rollouts/upgrade/pause');
    if (paused?.status === 200) {
      for (const url of urls)
        await until('all have paused', async () => (await standing(url)).phase === 'paused');
      const split = await splitAt(urls);
      assert.ok(split, 'it went on all the same');
      assert.equal(new Set(split.splits).size, 1, `at ${split.weight} % instances differ`);
      weights.add(split.weight);
      await adminClient(one).must('POST', '/rollouts/upgrade/resume');
    }
    await sleep(50);
  }
  return assert.fail('the rollout does not get there');
}

/** Who went back from the candidate to the stable. */
function whoWentBack(seen: readonly Seen[]): string[] {
  const met = new Set<string>();
  const back = new Set<string>();
  for (const { who, side } of seen) {
    if (side === 'upgrade=candidate') met.add(who);
    else if (side === 'upgrade=stable' && met.has(who)) back.add(who);
  }
  return [...back];
}

/** When the calls that suffice had all ended: Unix milliseconds. */
async function evidenceAt(url: string): Promise<number> {
  const records: UsageRecord[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const { body } = await adminClient(url).must(
      'GET',
      `/calls?limit=1000${cursor ? `&cursor=${cursor}` : ''}`,
    );
    for (const record of body['data'] as unknown as UsageRecord[]) records.push(record);
    cursor = body['nextCursor'] as string | null;
  }
  const endOf = ({ startedAt, latencyMs }: UsageRecord) => startedAt + latencyMs;
  const evidence = new Evidence(GATES);
  for (const record of records.toSorted((a, b) => endOf(a) - endOf(b))) {
    const { rollout } = record;
    if (!rollout) continue;
    const has = (flag: (typeof rollout.flags)[number]) => rollout.flags.includes(flag);
    const { side, user } = rollout;
    const next = has('stood_in') ? ('answered' as const) : undefined;
    evidence.observe({
      side,
      user,
      failed: has('failed'),
      timedOut: has('timed_out'),
      ...(next && { next }),
    });
    if (evidence.failure) return endOf(record);
  }
  return assert.fail('the calls that were recorded do not suffice');
}

for (const count of [1, 3]) {
  const skip = count === 1 ? false : redisMissing || postgres.skip;
  /** Of a sample each kind of candidate has one of the two. */
  const unlessHeavy = (reason: string | false) =>
    reason || scale<string | false>({ sample: 'the other number of instances is the sample', heavy: false });
  const where = count === 1 ? 'one instance' : 'three instances that share Redis and PostgreSQL';

  test(`a candidate that turns bad at ${BAD_AT} % costs no client an answer, and is out soon: ${where}`, {
    skip: count === 1 ? unlessHeavy(skip) : skip,
  }, async (context) => {
    const { state, baseUrl } = await startProvider(context);
    const urls = await startInstances(context, baseUrl, count);
    const [one = ''] = urls;
    const client = callInLoops(urls);
    await adminClient(one).must('POST', '/rollouts/upgrade/start');
    await goAlong(urls, ({ weight }) => weight === BAD_AT);
    state.isBad = true;
    await until('it is rolled back', async () => (await standing(one)).phase === 'rolled_back');
    const { reason } = await standing(one);
    for (const url of urls)
      await until('it is out everywhere', async () => (await standing(url)).phase === 'rolled_back');
    const outAt = Date.now();
    const before = client.seen.length;
    await until('more calls', async () => client.seen.length > before + 100);
    await client.stop();
    assert.deepEqual(client.failed, []);
    assert.equal(reason?.failure?.what, 'errors');
    assert.deepEqual(whoWentBack(client.seen), []);
    // Of those under way as it was seen to be out everywhere some are of before.
    const late = client.seen.slice(before + LOOPS * count).filter(({ side }) => side !== null);
    assert.deepEqual(late, []);
    const sufficed = await evidenceAt(one);
    context.diagnostic(
      `${client.seen.length} calls; rolled back everywhere ${Math.round(outAt - sufficed)} ms after the evidence`,
    );
    // Needs two; machines may be busy.
    assert.ok(outAt - sufficed < 10_000, `${outAt - sufficed} ms`);
  });

  test(`a good candidate goes from 1 % to everyone, and is the model's stable then: ${where}`, {
    skip: count === 3 ? unlessHeavy(skip) : skip,
  }, async (context) => {
    const { baseUrl } = await startProvider(context);
    const urls = await startInstances(context, baseUrl, count);
    const [one = ''] = urls;
    const client = callInLoops(urls);
    await adminClient(one).must('POST', '/rollouts/upgrade/start');
    const weights = await goAlong(urls, ({ phase }) => phase === 'promoted');
    for (const url of urls)
      await until('it is written', async () => isDeepStrictEqual(await targetsOf(url), ['up/new']));
    const before = client.seen.length;
    await until('more calls', async () => client.seen.length > before + 100);
    await client.stop();
    assert.deepEqual(client.failed, []);
    assert.deepEqual(whoWentBack(client.seen), []);
    const late = client.seen.slice(before + LOOPS * count);
    assert.deepEqual(new Set(late.map(({ side }) => side)), new Set(['upgrade=candidate']));
    context.diagnostic(`${client.seen.length} calls; splits were the same at ${[...weights].join(', ')} %`);
    assert.ok(weights.size >= 2, 'no step was looked at');
    const { body } = await adminClient(one).must('GET', '/revisions');
    const authors = (body['data'] as { author?: { name?: string } | string }[]).map(({ author }) =>
      typeof author === 'object' ? author?.name : author,
    );
    assert.ok(authors.includes('rollout upgrade'), authors.join());
  });
}
