import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat } from '../../src/dialects/chat/index.ts';
import { passThrough } from '../../src/dialects/chat/pass-through.ts';
import { scale } from '../support/scale.ts';
import { simulateOutages } from '../support/simulated-outages.ts';
import { VirtualGateway } from '../support/virtual-gateway.ts';

const KEY = 'sk-fl-key-of-outages-00000000000';

/** The client's. The router with hindsight knows all outages ahead, and has a call answered if any provider is up within that time. */
const PATIENCE_MS = 10_000;

const HOURS = scale({ sample: 6, heavy: 12 });

for (const { what, patienceMs, recoveryMs, seeds } of [
  // A second of the patience is left for the last attempt.
  {
    ...{ what: `whose clients wait ${PATIENCE_MS / 1000} s`, patienceMs: PATIENCE_MS, recoveryMs: 9_000 },
    seeds: scale({ sample: 1, heavy: 8 }),
  },
  {
    ...{ what: 'that do not wait for a target to be back', patienceMs: 0, recoveryMs: 0 },
    seeds: scale({ sample: 0, heavy: 8 }),
  },
]) {
  test(`in ${HOURS} hours with outages of three providers, of calls ${what} one in a thousand is lost at most that hindsight could have had answered`, async () => {
    let [hopeless, retried] = [0, 0];
    for (let seed = 1; seed <= seeds; seed++) {
      const { digest, ...outcome } = await simulateOutages({ seed, hours: HOURS, patienceMs, recoveryMs });
      const { calls, answerable, lost, attempts, early } = outcome;
      const said = JSON.stringify({ seed, ...outcome });
      assert.ok(lost <= 0.001 * answerable, said);
      assert.ok(attempts <= 1.2 * calls, `too much extra load: ${said}`);
      assert.equal(early, 0, `a provider was called before the time that it named: ${said}`);
      hopeless += calls - answerable;
      retried += attempts - calls;
    }
    assert.ok(seeds === 0 || (hopeless > 0 && retried > 0), 'the outages never overlap, and show nothing');
  });
}

test('a simulation is the same at every run, and another with another seed', async () => {
  const run = (seed: number) =>
    simulateOutages({ seed, hours: 0.5, patienceMs: PATIENCE_MS, recoveryMs: 9_000 });
  const first = await run(2);
  assert.deepEqual(await run(2), first);
  assert.notEqual((await run(3)).digest, first.digest);
});

test('a call that waits for a target to be back gives its place to one that waits for a place', async () => {
  const gateway = new VirtualGateway({
    server: { overload: { maxConcurrentCalls: 1, maxQueuedCalls: 9, maxQueueTime: '1m' } },
    providers: { a: { adapter: 'openai-compatible', baseUrl: 'http://a.test/v1' } },
    models: { m: { targets: ['a/x'], waitForRecovery: '8s', retries: 0 } },
    tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: KEY }] } },
  });
  gateway.onExchange = (exchange) => exchange.lose('ECONNREFUSED');
  const call = (atMs: number) => {
    const run = () => {
      const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };
      gateway.call({ dialect: chat, operation: 'generate', passThrough }, KEY, body);
    };
    gateway.events.push({ atMs, run, atOnce: false });
  };
  // The first ones open the breaker: their only attempt is made at once.
  for (let nth = 1; nth <= 5; nth += 1) call(1_000 + nth);
  call(1_100);
  call(2_000);
  await gateway.playOut([true]);
  const [first = 0, second = 0] = gateway.records.slice(5).map(({ latencyMs }) => latencyMs);
  assert.ok(first > 900 && first < 1_500, `until the second came, and the next look behind that: ${first}`);
  assert.ok(second > 1_200, `until a probe was due: ${second}`);
});
