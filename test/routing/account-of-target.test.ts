import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const SLOW_MS = 200;
const failing = new Set<string>();
const upstream = await startRawUpstream(async (response, _, { headers }) => {
  const key = String(headers.authorization).replace('Bearer key-of-', '');
  response.setHeader('content-type', 'application/json');
  if (failing.has(key)) return response.writeHead(500).end('{"error":{"message":"broken"}}');
  if (key === 'eu') await sleep(SLOW_MS);
  return response.end(chatAnswer(`of ${key}`));
});
after(upstream.close);

async function start(context: TestContext, model: object) {
  const accounts = ['eu', 'us', 'asia'].map((name) => ({ name, apiKey: `key-of-${name}` }));
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts } },
    models: { smart: model },
  });
  context.after(gateway.stop);
  return async () => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const answer = await gateway.post('/v1/chat/completions', { model: 'smart', messages });
    return /of (\w+)/.exec(await answer.text())?.[1] ?? answer.status;
  };
}

test('a target with an account is called there alone', async (context) => {
  const call = await start(context, { targets: [{ target: 'up/m', account: 'us' }] });
  for (let calls = 0; calls < 10; calls++) assert.equal(await call(), 'us');
  failing.add('us');
  context.after(() => failing.clear());
  assert.equal(await call(), 502);
});

test('accounts stand in for each other in the order in which targets name them', async (context) => {
  const targets = ['us', 'asia'].map((account) => ({ target: 'up/m', account }));
  const call = await start(context, { targets });
  assert.equal(await call(), 'us');
  failing.add('us');
  context.after(() => failing.clear());
  assert.equal(await call(), 'asia');
});

test('the fastest of two accounts is found by what each is like', async (context) => {
  const targets = ['eu', 'us'].map((account) => ({ target: 'up/m', account }));
  const call = await start(context, { targets, strategy: 'fastest' });
  for (let calls = 0; calls < 6; calls++) await call();
  const answers = [];
  for (let calls = 0; calls < 20; calls++) answers.push(await call());
  const fast = answers.filter((answer) => answer === 'us').length;
  assert.ok(fast >= 13, `${fast} of 20 at the fast one`);
});
