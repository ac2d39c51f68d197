import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

const PAST = '2020-01-31';
const COMING = '2099-01-31';

const gateway = await startGateway({
  models: {
    next: { targets: ['echo/next'] },
    leaving: { targets: ['echo/old'], deprecated: COMING, successor: 'next' },
    left: { targets: ['echo/old'], deprecated: PAST, successor: 'later' },
    later: { targets: ['echo/old'], deprecated: PAST, successor: 'next' },
    gone: { targets: ['echo/old'], deprecated: PAST, successor: 'next', onRetired: 'gone' },
    alone: { targets: ['echo/old'], deprecated: PAST },
    one: { targets: ['echo/old'], deprecated: PAST, successor: 'two' },
    two: { targets: ['echo/old'], deprecated: PAST, successor: 'one' },
  },
  tenants: {
    acme: { models: ['leaving', 'left', 'gone', 'alone', 'one'], keys: [{ name: 'app', secret: TEST_KEY }] },
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
