import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

const PAST = '2020-01-31';
const COMING = '2099-01-31';

const gateway = await startGateway({
  providers: {
    oai: {
      ...{ adapter: 'openai', baseUrl: 'http://127.0.0.1:9/v1' },
      accounts: [{ name: 'a', apiKey: 'sk-0123456789abcdef' }],
    },
  },
  models: {
    next: { targets: ['echo/next'] },
    leaving: { targets: ['echo/old'], deprecated: COMING, successor: 'next' },
    left: { targets: ['echo/old'], deprecated: PAST, successor: 'later' },
    later: { targets: ['echo/old'], deprecated: PAST, successor: 'next' },
    gone: { targets: ['echo/old'], deprecated: PAST, successor: 'next', onRetired: 'gone' },
    alone: { targets: ['echo/old'], deprecated: PAST },
    one: { targets: ['echo/old'], deprecated: PAST, successor: 'two' },
    two: { targets: ['echo/old'], deprecated: PAST, successor: 'one' },
    stays: { targets: ['echo/next'] },
    ending: { targets: [{ target: 'echo/x', retires: COMING, successor: 'echo/y' }] },
  },
  tenants: {
    acme: {
      models: ['leaving', 'left', 'gone', 'alone', 'one', 'stays', 'ending', 'oai/*'],
      keys: [{ name: 'app', secret: TEST_KEY }],
    },
  },
});
after(gateway.stop);
const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });

async function ask(model: string) {
  const { response } = await client.chat.completions
    .create({ model, messages: [{ role: 'user', content: 'Hi' }] })
    .withResponse();
  const [target, deprecation, sunset, link] = ['x-fairlead-target', 'deprecation', 'sunset', 'link'].map(
    (name) => response.headers.get(name),
  );
  return { target, deprecation, sunset, link };
}

test('a model on its way out says so, and answers as before', async () => {
  assert.deepEqual(await ask('leaving'), {
    target: 'echo/old',
    deprecation: `@${Date.parse(COMING) / 1000}`,
    sunset: 'Sat, 31 Jan 2099 00:00:00 GMT',
    link: '</v1/models/next>; rel="successor-version"',
  });
});

test('the door of a model on its way out says so in every form, and that of another one nothing', async () => {
  const look = async (id: string, headers: Record<string, string> = {}) => {
    const asked = { headers: { authorization: `Bearer ${TEST_KEY}`, ...headers } };
    const answer = await fetch(`${gateway.url}/v1/models/${encodeURIComponent(id)}`, asked);
    assert.equal(answer.status, 200);
    const { retiresAt, successor } = (await answer.json()) as Record<string, unknown>;
    const told = ['deprecation', 'sunset', 'link'].map((name) => answer.headers.get(name));
    return { retiresAt, successor, told };
  };
  const expected = {
    ...{ retiresAt: `${COMING}T00:00:00.000Z`, successor: 'next' },
    told: [
      `@${Date.parse(COMING) / 1000}`,
      'Sat, 31 Jan 2099 00:00:00 GMT',
      '</v1/models/next>; rel="successor-version"',
    ],
  };
  assert.deepEqual(await look('leaving'), expected);
  assert.deepEqual(await look('leaving', { 'anthropic-version': '2023-06-01' }), expected);
  const { successor } = await look('alone');
  assert.equal(successor, null);
  const nothing = { retiresAt: undefined, successor: undefined, told: [null, null, null] };
  assert.deepEqual(await look('stays'), nothing);
  // Of targets that end under a name the successors are the operator's to choose.
  const ending = await look('ending');
  assert.deepEqual([ending.retiresAt, ending.successor], [expected.retiresAt, null]);
  const direct = await look('oai/gpt-4.1-mini');
  assert.deepEqual([direct.retiresAt, direct.successor], ['2027-01-14T00:00:00.000Z', 'oai/gpt-6-luna']);
});

test('calls of a retired model go to its successor, however often that has one, and are recorded by the name that was called', async () => {
  const { target, sunset } = await ask('left');
  assert.equal(target, 'echo/next');
  assert.equal(sunset, 'Fri, 31 Jan 2020 00:00:00 GMT');
  const records = await gateway.calls(2);
  assert.ok(records.some(({ model, target }) => model === 'left' && target === 'echo/next'));
});

for (const [model, message] of [
  ['gone', /^410 The model 'gone' was retired on 2020-01-31\. Call 'next' instead\.$/],
  ['alone', /^410 The model 'alone' was retired on 2020-01-31\.$/],
] as const) {
  test(`calls end with a name that leads nowhere: ${model}`, async () => {
    await assert.rejects(ask(model), (error) => {
      assert.ok(error instanceof APIError);
      assert.equal(error.code, 'model_retired');
      assert.match(error.message, message);
      return true;
    });
  });
}

test('successors that lead in a circle are no model', async () => {
  await assert.rejects(ask('one'), { status: 404, code: 'model_not_found' });
});
