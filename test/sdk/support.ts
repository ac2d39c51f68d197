import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { NO_USAGE, type Usage } from '../../src/conversation/usage.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeBedrock } from '../support/fake-bedrock.ts';
import { startFakeGemini } from '../support/fake-gemini.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeOptions, FakeProvider, LoggedRequest } from '../support/fake-provider.ts';
import { startFakeVertexModels } from '../support/fake-vertex-models.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { scale } from '../support/scale.ts';

export type UpstreamName = 'openai' | 'anthropic' | 'gemini';

/** A kind of provider that a test body runs against. */
export interface Upstream {
  name: UpstreamName;
  /** The model as a client names it. */
  model: string;
  fake: FakeProvider;
}

/** One gateway with a strict fake of each kind of provider behind it. */
export interface World {
  fakes: Record<'openai' | 'compatible' | 'anthropic' | 'gemini', FakeProvider>;
  /** What OpenAI's SDKs take as their base URL. */
  baseUrl: string;
  /** What those of Anthropic and Google take. */
  url: string;
  /** Everything that the gateway has logged. */
  logs(): string;
  /** An OpenAI client as its users make it, but for its own retries: an error is to be seen as it comes. */
  client: OpenAI;
  /** Models that answer at once. */
  upstreams: Upstream[];
  /** Models that think and show it; those of Anthropic and Gemini demand it back, signed. */
  thinkers: Upstream[];
  /** A test for each of the upstreams: the same body, the same expectations. */
  each(title: string, body: (upstream: Upstream) => Promise<void>): void;
  eachThinker(title: string, body: (upstream: Upstream) => Promise<void>): void;
  /** The usage records of calls that reached a fake, once all of them are written. */
  records(): Promise<UsageRecord[]>;
  /** Fails where a fake refused what no script told it to refuse; `expected`: that many refusals are what a test is about. */
  checkRefusals(expected?: number): void;
  /** `checkRefusals`, and that the usage records say what the fakes say they served. */
  checkBooks(expectedRefusals?: number): Promise<void>;
}

/** The world for one door of many: in the sample its tests are for every other upstream, in turn over tests and doors. */
export function inTurn(world: World, door: number): World {
  let turn = door;
  const isWhole = scale({ sample: false, heavy: true });
  const share = (all: Upstream[]) => {
    turn += 1;
    return all.filter((_, at) => isWhole || (at + turn) % 2 === 0);
  };
  return {
    ...world,
    each: (title, body) => testEach(share(world.upstreams), ({ name }) => `${title} (${name})`, body),
    eachThinker: (title, body) => testEach(share(world.thinkers), ({ model }) => `${title} (${model})`, body),
  };
}

function testEach(
  upstreams: readonly Upstream[],
  titleOf: (upstream: Upstream) => string,
  body: (upstream: Upstream) => Promise<void>,
): void {
  for (const upstream of upstreams) test(titleOf(upstream), () => body(upstream));
}

/**
 * Started once a file, and closed after it. `models`: names for them in the config language; `clouds`: Bedrock and Vertex are there, too.
 */
export async function startWorld(
  options: FakeOptions = {},
  models: object = {},
  clouds = false,
): Promise<World> {
  const [openai, compatible, anthropic, gemini] = await Promise.all([
    startFakeOpenAi(options),
    startFakeOpenAi({ ...options, compatible: true }),
    startFakeAnthropic(options),
    startFakeGemini(options),
  ]);
  const bedrock = clouds ? await startFakeBedrock(options) : undefined;
  const vertex = clouds ? await startFakeVertexModels(options) : undefined;
  const fakes = {
    ...{ openai, compatible, anthropic, gemini },
    ...(bedrock ? { bedrock } : {}),
    ...(vertex ? { vertex } : {}),
  };
  const gateway = await startGateway({
    providers: {
      openai: describeProvider(openai),
      compatible: { adapter: 'openai-compatible', ...describeProvider(compatible) },
      anthropic: describeProvider(anthropic),
      gemini: describeProvider(gemini),
      ...(bedrock ? { bedrock: { ...describeProvider(bedrock), region: 'us-east-1' } } : {}),
      ...(vertex
        ? { vertex: { ...describeProvider(vertex), project: 'my-project', location: 'europe-west4' } }
        : {}),
    },
    models,
  });
  after(async () => {
    await gateway.stop();
    await Promise.all(Object.values(fakes).map((fake) => fake.close()));
  });

  const upstreams: Upstream[] = [
    { name: 'openai', model: 'openai/gpt-4.1', fake: openai },
    { name: 'anthropic', model: 'anthropic/claude-sonnet-4-5', fake: anthropic },
    { name: 'gemini', model: 'gemini/gemini-2.5-flash', fake: gemini },
  ];
  const thinkers: Upstream[] = [
    { name: 'openai', model: 'compatible/gpt-5-mini', fake: compatible },
    { name: 'anthropic', model: 'anthropic/claude-sonnet-4-5', fake: anthropic },
    { name: 'anthropic', model: 'anthropic/claude-opus-4-8', fake: anthropic },
    { name: 'gemini', model: 'gemini/gemini-2.5-flash', fake: gemini },
    { name: 'gemini', model: 'gemini/gemini-3-flash-preview', fake: gemini },
  ];
  const requests = (): LoggedRequest[] => Object.values(fakes).flatMap((fake) => fake.requests);
  const records = (): Promise<UsageRecord[]> => readRecords(gateway, requests().length);
  const checkRefusals = (expected = 0): void => {
    const refusals = requests().filter(isUnscriptedRefusal);
    assert.equal(refusals.length, expected, `refused: ${refusals.map(describeRequest).join('\n')}`);
  };
  return {
    fakes,
    baseUrl: `${gateway.url}/v1`,
    url: gateway.url,
    logs: gateway.logs,
    client: new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 }),
    upstreams,
    thinkers,
    each: (title, body) => testEach(upstreams, ({ name }) => `${title} (${name})`, body),
    eachThinker: (title, body) => testEach(thinkers, ({ model }) => `${title} (${model})`, body),
    records,
    checkRefusals,
    checkBooks: async (expectedRefusals) => {
      checkRefusals(expectedRefusals);
      const answered = (await records()).filter(({ outcome, operation }) => {
        return outcome === 'ok' && operation === 'generate';
      });
      const recorded = answered.map(recordedUsage);
      const served = requests().flatMap(servedUsage);
      assert.ok(served.length > 0);
      assert.deepEqual(subtract(served, recorded), [], 'served, but not recorded so');
      assert.deepEqual(subtract(recorded, served), [], 'recorded, but not served so');
    },
  };
}

function describeProvider({ url, apiKey }: FakeProvider): object {
  return { baseUrl: url, accounts: [{ name: 'main', apiKey }] };
}

/** Records are written a moment after the call: waits until they tell of as many attempts as the fakes have seen. */
async function readRecords(gateway: TestGateway, attempted: number): Promise<UsageRecord[]> {
  for (let waited = 0; waited < 250; waited += 1) {
    const records = (await gateway.calls(0)).filter(
      ({ target }) => target !== null && target !== 'echo/echo',
    );
    if (records.flatMap(({ attempts }) => attempts).length >= attempted) return records;
    await sleep(20);
  }
  throw new Error(`the usage records do not tell of ${attempted} attempts`);
}

/** A script asks for a refusal with `fail 429` and the like. */
function isUnscriptedRefusal({ status = 200, rawBody }: LoggedRequest): boolean {
  return status >= 400 && !/\b(fail|html) \d{3}\b/.test(rawBody.toString('utf8'));
}

function describeRequest({ path, status, rawBody }: LoggedRequest): string {
  return `${status} for ${path} ${rawBody.toString('utf8')}`;
}

function recordedUsage({ target, usage }: UsageRecord): string {
  return `${target?.split('/')[1]} ${JSON.stringify({ ...NO_USAGE, ...usage })}`;
}

/** What the fake's model says it used for a whole answer, in the buckets of a usage record. */
function servedUsage({ path, body, status, usage, aborted }: LoggedRequest): string[] {
  if (!usage || status !== 200 || aborted) return [];
  const served: Usage = { ...NO_USAGE, ...usage };
  // Bedrock does not tell what of its output was thought.
  if (/\/converse/.test(path))
    Object.assign(served, { output: served.output + served.reasoning, reasoning: 0 });
  return [`${modelOf(path, body)} ${JSON.stringify(served)}`];
}

/** What is in the first list more often than in the second. */
function subtract(list: readonly string[], others: readonly string[]): string[] {
  const left = [...list];
  for (const other of others) {
    const at = left.indexOf(other);
    if (at !== -1) left.splice(at, 1);
  }
  return left;
}

function modelOf(path: string, body: LoggedRequest['body']): string {
  const [, named] = /\/models\/([^:]+):|\/model\/([^/]+)\/converse/.exec(path)?.filter(Boolean) ?? [];
  if (named !== undefined) return decodeURIComponent(named);
  return typeof body === 'object' && body !== null && 'model' in body ? String(body.model) : '';
}
