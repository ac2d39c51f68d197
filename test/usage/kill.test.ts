import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { inputTokens, outputTokens } from '../../src/conversation/usage.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider, LoggedRequest } from '../support/fake-provider.ts';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { type GatewayProcess, spawnGateway } from '../support/gateway-process.ts';
import { redisMissing, startRedis, type TestRedis } from '../support/redis.ts';
import { scale } from '../support/scale.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const KILLS = scale({ sample: 2, heavy: 10 });
const ROUNDS = scale({ sample: 1, heavy: 5 });
const CLIENTS = 12;
const MOST_CALLS = 20_000;

/** A call that a client makes: every one of a model of its own, by which it is found in the ledger and at the provider. */
interface Door {
  path(model: string): string;
  body(model: string, text: string): object;
  /** How the answer ends where it is whole. */
  end: RegExp;
  provider: 'openai' | 'anthropic';
}

const chat = (stream: boolean) => (model: string, text: string) => ({
  model,
  stream,
  messages: [{ role: 'user', content: text }],
});
const messages = (stream: boolean) => (model: string, text: string) => ({
  ...chat(stream)(model, text),
  max_tokens: 500,
});
const contents = (_model: string, text: string) => ({ contents: [{ role: 'user', parts: [{ text }] }] });

const DOORS: readonly Door[] = [
  { path: () => '/v1/chat/completions', body: chat(false), end: /\}\s*$/, provider: 'openai' },
  { path: () => '/v1/chat/completions', body: chat(true), end: /data: \[DONE\]\n\n$/, provider: 'openai' },
  { path: () => '/v1/chat/completions', body: chat(true), end: /data: \[DONE\]\n\n$/, provider: 'anthropic' },
  { path: () => '/v1/messages', body: messages(false), end: /\}\s*$/, provider: 'anthropic' },
  {
    path: () => '/v1/messages',
    body: messages(true),
    end: /"message_stop"[^\n]*\n\n$/,
    provider: 'anthropic',
  },
  { path: () => '/v1/messages', body: messages(true), end: /"message_stop"[^\n]*\n\n$/, provider: 'openai' },
  {
    path: () => '/v1/responses',
    body: (model, input) => ({ model, input, stream: true }),
    end: /"response\.completed"[^\n]*\n\n$/,
    provider: 'openai',
  },
  {
    path: (model) => `/v1beta/models/${model}:generateContent`,
    body: contents,
    end: /\}\s*$/,
    provider: 'anthropic',
  },
];

const MODELS = { openai: 'gpt-4.1-c', anthropic: 'claude-sonnet-4-5-c' };

interface Load {
  /** Calls whose answers came whole, by model; and what else was sent. */
  whole: Set<string>;
  sent: Set<string>;
  /** Answers that are whole and no success. */
  refused: string[];
  gateway: GatewayProcess | undefined;
  ended: boolean;
}

async function callUntilEnded(load: Load): Promise<void> {
  while (!load.ended) {
    const url = await load.gateway?.url.catch(() => undefined);
    if (url === undefined) await sleep(5);
    else await makeCall(load, url);
  }
}

async function makeCall(load: Load, url: string): Promise<void> {
  const number = load.sent.size;
  const door = DOORS[number % DOORS.length];
  assert.ok(door && number < MOST_CALLS);
  const model = `${door.provider}/${MODELS[door.provider]}${number}`;
  load.sent.add(model);
  const text = `Call ${number}\nlong ${5 + (number % 40)}\nslow ${number % 4} ms per chunk`;
  try {
    const response = await fetch(url + door.path(model), {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify(door.body(model, text)),
    });
    const answer = await response.text();
    if (!response.ok || !door.end.test(answer)) load.refused.push(`${response.status} ${answer.slice(-300)}`);
    else load.whole.add(model);
  } catch {
    // Cut off: whether it is in the ledger, and as what, is seen in the end.
    await sleep(20);
  }
}

/** Until so many more calls have been answered. */
async function waitForAnswers(load: Load, more: number): Promise<void> {
  for (const until = load.whole.size + more; load.whole.size < until; ) {
    assert.deepEqual(load.refused, []);
    await sleep(5);
  }
}

async function startProviders(context: TestContext): Promise<Record<Door['provider'], FakeProvider>> {
  const names = (prefix: string) => Array.from({ length: MOST_CALLS }, (_, number) => prefix + number);
  const openai = await startFakeOpenAi({ models: names(MODELS.openai) });
  const anthropic = await startFakeAnthropic({ models: names(MODELS.anthropic) });
  context.after(() => Promise.all([openai.close(), anthropic.close()]));
  return { openai, anthropic };
}

function writeConfig(
  directory: string,
  providers: Record<Door['provider'], FakeProvider>,
  state: string,
): string {
  const file = join(directory, 'fairlead.yaml');
  const accounts = ({ url, apiKey }: FakeProvider) => ({
    baseUrl: url,
    accounts: [{ name: 'main', apiKey }],
  });
  const text = stringify({
    state,
    // A machine that is busy with other tests is not to look like a Redis that is away.
    stateTimeout: '10s',
    providers: { openai: accounts(providers.openai), anthropic: accounts(providers.anthropic) },
    prices: { '*/*': { input: 1, output: 2 } },
    tenants: {
      acme: {
        models: ['*'],
        ...(state !== 'memory' && { limits: { budgets: [{ usd: 1_000_000, per: 'total' }] } }),
        keys: [{ name: 'app', secret: TEST_KEY }],
      },
    },
  });
  writeFileSync(file, text);
  return file;
}

async function readLedger(url: string): Promise<UsageRecord[]> {
  const calls: UsageRecord[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const response = await fetch(`${url}/admin/v1/calls?limit=1000${query}`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    const page = (await response.json()) as { data: UsageRecord[]; nextCursor: string | null };
    calls.push(...page.data);
    cursor = page.nextCursor;
  }
  return calls;
}

const total = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value, 0);

/** What a provider says that it served, by the model as clients name it. */
function servedCalls(providers: Record<Door['provider'], FakeProvider>): Map<string, LoggedRequest> {
  const served = new Map<string, LoggedRequest>();
  for (const [provider, { requests }] of Object.entries(providers)) {
    for (const request of requests) {
      const model = `${provider}/${(request.body as { model: string }).model}`;
      assert.equal(served.has(model), false, `${model} was asked for twice`);
      served.set(model, request);
    }
  }
  return served;
}

/** What a Redis says was spent of the one budget, in millionths of a dollar. */
async function readSpent({ client }: TestRedis): Promise<number> {
  const [budget] = (await client.keys('fairlead:*usdBudget:total@*')).filter((key) => /@\d+$/.test(key));
  assert.ok(budget !== undefined);
  return Number(await client.hget(budget, 'spent')) / 1000;
}

for (const counted of ['no limits', 'budgets in Redis'] as const) {
  for (let round = 1; round <= ROUNDS; round++) {
    test(`killed ${KILLS} times under load with ${counted}, the ledger has every answer once and every cut-off call as interrupted (${round}/${ROUNDS})`, {
      timeout: 300_000,
      skip: counted === 'budgets in Redis' && redisMissing,
    }, async (context) => {
      const providers = await startProviders(context);
      const directory = makeTempDirectory(context);
      const redis = counted === 'budgets in Redis' ? await startRedis() : undefined;
      if (redis) context.after(() => redis.close());
      const env = {
        FAIRLEAD_CONFIG: writeConfig(directory, providers, redis?.url ?? 'memory'),
        FAIRLEAD_DATA: directory,
        FAIRLEAD_ADMIN_KEY: ADMIN_KEY,
      };
      const load: Load = {
        whole: new Set(),
        sent: new Set(),
        refused: [],
        gateway: spawnGateway(env),
        ended: false,
      };
      const clients = Array.from({ length: CLIENTS }, () => callUntilEnded(load));
      for (let kill = 0; kill < KILLS; kill++) {
        await load.gateway?.url;
        await waitForAnswers(load, Math.random() * 60);
        await sleep(Math.random() * 30);
        await load.gateway?.kill();
        // Every third is killed while it starts, too: some of them while they take over what the one before left.
        if (kill % 3 === 2) {
          const starting = spawnGateway(env);
          await Promise.race([starting.url, sleep(Math.random() * 1_500)]);
          await starting.kill();
        }
        load.gateway = spawnGateway(env);
      }
      await load.gateway?.url;
      await waitForAnswers(load, 20);
      load.ended = true;
      await Promise.all(clients);
      assert.deepEqual(load.refused, []);
      // What the last process has in memory is in the store once it has stopped.
      assert.equal(await load.gateway?.stop(), 0);
      assert.deepEqual(
        readdirSync(join(directory, 'journal')),
        [],
        'a journal whose records are stored is gone',
      );
      const last = spawnGateway(env);
      const ledger = await readLedger(await last.url);
      assert.equal(await last.stop(), 0);

      if (redis) {
        const costs = ledger.map(({ costMicroUsd }) => costMicroUsd ?? 0);
        assert.equal(
          await readSpent(redis),
          total(costs),
          'the budget was spent of by what is in the ledger',
        );
      }

      const byModel = new Map(ledger.map((record) => [record.model ?? '', record]));
      assert.equal(byModel.size, ledger.length, 'no call is recorded twice');
      const served = servedCalls(providers);
      for (const model of load.whole)
        assert.equal(byModel.get(model)?.outcome, 'ok', `${model} was answered`);
      for (const model of served.keys()) assert.ok(byModel.has(model), `${model} was asked of its provider`);
      for (const [model, record] of byModel) {
        assert.ok(load.sent.has(model));
        const isKnown = record.outcome === 'ok' || record.outcome === 'interrupted';
        assert.ok(isKnown, `${model} ended as ${record.outcome}`);
      }
      const answered = ledger.filter(({ outcome }) => outcome === 'ok');
      const interrupted = ledger.filter(({ outcome }) => outcome === 'interrupted');
      for (const { model, costMicroUsd, usage } of interrupted) {
        assert.ok((costMicroUsd ?? 0) > 0 && usage?.estimated, `${model} costs what was set aside`);
      }
      const usages = answered.map(({ model }) => served.get(model ?? '')?.usage);
      for (const { model, usage } of answered) {
        assert.ok(usage);
        const said = served.get(model ?? '')?.usage;
        assert.deepEqual(
          [inputTokens(usage), outputTokens(usage)],
          said && [said.input, said.output],
          model ?? '',
        );
      }
      assert.ok(usages.length > 0 && interrupted.length > 0, 'some calls were answered and some cut off');
      context.diagnostic(
        `${load.sent.size} calls sent, ${load.whole.size} whole, ${answered.length} ok, ${interrupted.length} interrupted, ${total(usages.map((usage) => usage?.output ?? 0))} tokens out `,
      );
    });
  }
}
