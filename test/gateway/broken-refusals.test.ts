import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { passThrough } from '../../src/dialects/chat/pass-through.ts';
import type { Door } from '../../src/gateway/door.ts';
import { interruptCall } from '../../src/gateway/handle-call.ts';
import { startGateway } from '../support/gateway.ts';
import { startProvider } from '../support/scripted-provider.ts';
import { VirtualGateway } from '../support/virtual-gateway.ts';

/** An answer that refuses for a while, of which the body is still to come. */
function refuse(response: ServerResponse, status: number, headers: Record<string, string>): void {
  response.writeHead(status, { 'content-type': 'application/json', 'retry-after': '20', ...headers });
}

const reset = (response: ServerResponse) => response.write('{', () => response.socket?.resetAndDestroy());

/** What becomes of the body of a refusal behind its head. */
const BREAKS: { name: string; headers?: Record<string, string>; body: (response: ServerResponse) => void }[] =
  [
    { name: 'hangs', headers: { 'content-length': '100' }, body: (response) => response.write('{') },
    { name: 'is reset', headers: { 'content-length': '100' }, body: reset },
    {
      name: 'is shorter than was announced',
      headers: { 'content-length': '100' },
      body: (response) => response.write('{"error":', () => response.socket?.end()),
    },
    {
      name: 'is not the gzip that it claims to be',
      headers: { 'content-encoding': 'gzip' },
      body: (response) => response.end('{"error":{}}'),
    },
    {
      name: 'is in a coding that nobody knows',
      headers: { 'content-encoding': 'rot13' },
      body: (response) => response.end('{"error":{}}'),
    },
  ];

async function setUp(context: TestContext) {
  const [a, b] = [await startProvider(context), await startProvider(context)];
  const gateway = await startGateway({
    providers: { a: { ...a.provider, timeouts: { idle: '300ms' } }, b: b.provider },
    models: {
      two: { targets: ['a/x', 'b/y'] },
      brief: { targets: ['a/x'], timeouts: { total: '500ms' } },
      patient: { targets: [{ target: 'a/x', timeouts: { idle: '1m' } }, 'b/y'] },
      alone: { targets: [{ target: 'a/x', timeouts: { idle: '1m' } }], retries: 0 },
    },
  });
  context.after(() => gateway.stop());
  const call = async (model = 'two') => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const response = await gateway.post('/v1/chat/completions', { model, messages });
    await response.text();
    const { status, headers } = response;
    return [status, headers.get('x-fairlead-target'), headers.get('x-fairlead-attempts')];
  };
  return { a, gateway, call };
}

for (const status of [429, 503]) {
  for (const { name, headers = {}, body } of BREAKS) {
    test(`a ${status} names its time though its body ${name}`, async (context) => {
      const { a, gateway, call } = await setUp(context);
      a.answers.push((response) => {
        refuse(response, status, headers);
        body(response);
      });
      assert.deepEqual(await call(), [200, 'b/y', '2']);
      assert.deepEqual(await call(), [200, 'b/y', '1']);
      assert.equal(a.requests(), 1);
      const records = await gateway.calls(2);
      const reasons = records.flatMap(({ attempts }) => attempts.map(({ reason }) => reason));
      assert.ok(reasons.includes(`status_${status}`), `${reasons}`);
    });
  }
}

test('a 429 without a time whose body breaks lets others go first', async (context) => {
  const { a, gateway, call } = await setUp(context);
  a.answers.push((response) => {
    response.writeHead(429, { 'content-length': '100' });
    reset(response);
  });
  assert.deepEqual(await call(), [200, 'b/y', '2']);
  const records = await gateway.calls(1);
  assert.deepEqual(
    records[0]?.attempts.map(({ outcome }) => outcome),
    ['upstream_rate_limited', 'ok'],
  );
});

test('a 429 whose body takes longer than its call may is told as what it is', async (context) => {
  const { a, call } = await setUp(context);
  a.answers.push((response) => {
    refuse(response, 429, { 'content-length': '100' });
    const drip = setInterval(() => response.write(' '), 100);
    response.on('close', () => clearInterval(drip));
  });
  assert.deepEqual((await call('brief'))[0], 429);
  assert.deepEqual(await call(), [200, 'b/y', '1']);
});

/** A byte now and then, as long as anybody listens. */
function drip(response: ServerResponse): void {
  const dripping = setInterval(() => response.write(' '), 50);
  response.on('close', () => clearInterval(dripping));
}

const HANGS: { name: string; body: (response: ServerResponse) => void }[] = [
  { name: 'hangs', body: (response) => response.write('{"error":') },
  { name: 'never comes', body: (response) => response.flushHeaders() },
  { name: 'drips', body: drip },
];

for (const status of [429, 503]) {
  for (const { name, body } of HANGS) {
    test(`a ${status} counts by its head while its body ${name}, and its call goes on elsewhere soon`, async (context) => {
      const { a, call } = await setUp(context);
      a.answers.push((response) => {
        refuse(response, status, {});
        body(response);
      });
      const begun = a.next('begun');
      const first = call('patient');
      await begun;
      await sleep(500);
      assert.deepEqual(await call('patient'), [200, 'b/y', '1']);
      assert.equal(a.requests(), 1);
      const began = performance.now();
      assert.deepEqual(await first, [200, 'b/y', '2']);
      assert.ok(performance.now() - began < 10_000, 'it waited for a body that does not come');
    });
  }
}

for (const status of [500, 401, 404, 418]) {
  test(`a ${status} whose body drips holds its call for a few seconds, not for its whole time`, async (context) => {
    const { a, call, gateway } = await setUp(context);
    a.otherwise = (response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      drip(response);
    };
    const began = performance.now();
    const [told] = await call('alone');
    assert.ok(performance.now() - began < 10_000);
    assert.equal(told, 504);
    assert.deepEqual(await call('patient'), [200, 'b/y', '2']);
    const [{ attempts = [] } = {}] = await gateway.calls(2);
    assert.equal(attempts[0]?.reason, 'idle_timeout');
  });
}

test('a refusal whose words are whole is told, though its body has no end', async (context) => {
  const { a, gateway } = await setUp(context);
  a.otherwise = (response) => {
    response.writeHead(400, { 'content-type': 'application/json' });
    response.write('{"error":{"message":"Too many dwarfs","type":"invalid_request_error"}}');
  };
  const body = { model: 'patient', messages: [{ role: 'user', content: 'Hi' }] };
  const response = await gateway.post('/v1/chat/completions', body);
  assert.equal(response.status, 400);
  assert.match(await response.text(), /Too many dwarfs/);
});

test('a refusal of the call whose words break off says nothing: another target is asked', async (context) => {
  const { a, call } = await setUp(context);
  a.answers.push((response) => {
    refuse(response, 400, { 'content-length': '100' });
    reset(response);
  });
  assert.deepEqual(await call(), [200, 'b/y', '2']);
  assert.deepEqual(await call(), [200, 'a/x', '1']);
});

test('a call that the gateway ends, as it stops, goes on nowhere, whatever its provider has begun to say', async () => {
  const world = new VirtualGateway({
    providers: Object.fromEntries(
      ['a', 'b'].map((name) => [
        name,
        {
          adapter: 'openai-compatible',
          baseUrl: `http://${name}.test/v1`,
          accounts: [{ name: 'main', apiKey: 'k' }],
        },
      ]),
    ),
    models: { two: { targets: ['a/x', 'b/y'] } },
    tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: 'sk-fl-virtual-key-0123456789' }] } },
  });
  const door: Door = { dialect: chat, operation: 'generate', passThrough };
  const ask = { model: 'two', messages: [{ role: 'user', content: 'Hi' }] };
  const client = world.call(door, 'sk-fl-virtual-key-0123456789', ask);
  await setImmediate();
  world.exchanges[0]?.head(429, 'application/json');
  for (const call of world.gateway.calls.list())
    interruptCall(call, new GatewayError('overloaded', 'The gateway is stopping; try again.'));
  await setImmediate();
  assert.match(client.text(), /The gateway is stopping/);
  assert.equal(world.exchanges.length, 1);
});
