import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { redisMissing, startRedis } from '../support/redis.ts';

const STATES = [
  { name: 'in memory', skip: false, start: async () => 'memory' },
  {
    name: 'in Redis',
    skip: redisMissing,
    start: async (context: TestContext) => {
      const redis = await startRedis();
      context.after(() => redis.close());
      return redis.url;
    },
  },
];

async function setUp(context: TestContext, state: string) {
  const gateway = await startGateway({ state, ...(state !== 'memory' && { stateTimeout: '10s' }) });
  context.after(() => gateway.stop());
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/tenants', { name: 'globex', models: ['*'] });
  const { body } = await admin.must('POST', '/tenants/globex/keys', { name: 'app' });
  const headers = { authorization: `Bearer ${body['secret']}` };
  const ask = async () => {
    const messages = [{ role: 'user', content: 'Say this again, as it stands here.' }];
    const request = { model: 'echo/echo', max_tokens: 10, messages };
    const response = await gateway.post('/v1/chat/completions', request, { headers });
    const answer = (await response.json()) as { usage?: { total_tokens: number } };
    return { status: response.status, tokens: answer.usage?.total_tokens ?? 0 };
  };
  /** What some calls used together. */
  const spend = async (calls: number) => {
    let tokens = 0;
    for (let call = 0; call < calls; call++) {
      const answer = await ask();
      assert.equal(answer.status, 200);
      tokens += answer.tokens;
    }
    return tokens;
  };
  const setBudget = (tokens: number | undefined) =>
    admin.must('PATCH', '/tenants/globex', {
      limits: tokens === undefined ? null : { budgets: [{ tokens, per: 'month' }] },
    });
  return { gateway, ask, spend, setBudget };
}

for (const { name, skip, start } of STATES) {
  describe(`budgets that change while calls are counted ${name}`, { skip }, () => {
    test('what was spent before a budget was set counts in it, also what is not in the store yet', async (context) => {
      const { ask, spend, setBudget } = await setUp(context, await start(context));
      const spent = await spend(5);
      await setBudget(spent);
      assert.equal((await ask()).status, 402);
      await setBudget(spent + 2_000);
      assert.equal((await ask()).status, 200);
    });

    test('what was spent while a budget was taken away counts when it is put back', async (context) => {
      const { ask, spend, setBudget } = await setUp(context, await start(context));
      await setBudget(1_000_000);
      const before = await spend(2);
      await setBudget(undefined);
      const meanwhile = await spend(8);
      await setBudget(before + meanwhile);
      assert.equal((await ask()).status, 402);
    });

    test('a budget that is only set higher or lower knows what was spent', async (context) => {
      const { ask, spend, setBudget } = await setUp(context, await start(context));
      await setBudget(1_000_000);
      const spent = await spend(3);
      await setBudget(spent);
      assert.equal((await ask()).status, 402);
    });
  });
}
