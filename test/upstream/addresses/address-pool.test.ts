import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Address, FoundAddress } from '../../../src/upstream/addresses/address.ts';
import { AddressPool } from '../../../src/upstream/addresses/address-pool.ts';

const BASE = { origin: 'http://models.test', path: '/v1' };

function poolOf(shares: readonly { weight: number; priority: number }[]): AddressPool {
  const pool = new AddressPool(BASE, () => 0);
  pool.replace(shares.map((share, index) => ({ host: `10.0.0.${index + 1}`, port: 8000, ...share })));
  return pool;
}

const anyShare = fc.record({
  weight: fc.integer({ min: 0, max: 20 }),
  priority: fc.integer({ min: 0, max: 2 }),
});
const anyState = fc.record({ isWell: fc.boolean(), isTried: fc.boolean(), inFlight: fc.nat(5) });
const anyServers = fc.array(fc.tuple(anyShare, anyState), { minLength: 1, maxLength: 8 });

function setUp(
  servers: readonly [
    FoundAddress | { weight: number; priority: number },
    { isWell: boolean; isTried: boolean; inFlight: number },
  ][],
) {
  const pool = poolOf(servers.map(([share]) => share));
  const tried: Address[] = [];
  pool.addresses.forEach((address, index) => {
    const state = servers[index]?.[1];
    if (!state) return;
    Object.assign(address, { isWell: state.isWell, inFlight: state.inFlight });
    if (state.isTried) tried.push(address);
  });
  return { pool, tried };
}

test('a call goes to an address that is well as long as there is one, and to any where there is none', () => {
  fc.assert(
    fc.property(anyServers, (servers) => {
      const { pool, tried } = setUp(servers);
      const chosen = pool.choose(tried);
      assert.ok(chosen);
      assert.equal(
        chosen.isWell,
        pool.addresses.some(({ isWell }) => isWell),
      );
    }),
  );
});

test('of those that are alike well, one that was not tried goes first, then the lowest priority', () => {
  fc.assert(
    fc.property(anyServers, (servers) => {
      const { pool, tried } = setUp(servers);
      const chosen = pool.choose(tried);
      assert.ok(chosen);
      const alike = pool.addresses.filter(({ isWell }) => isWell === chosen.isWell);
      const untried = alike.filter((address) => !tried.includes(address));
      assert.equal(tried.includes(chosen), untried.length === 0);
      const rest = untried.length > 0 ? untried : alike;
      assert.equal(chosen.priority, Math.min(...rest.map(({ priority }) => priority)));
    }),
  );
});

test('calls one after another are spread exactly by the weights', () => {
  const anyWeights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(anyWeights, fc.integer({ min: 1, max: 3 }), (weights, rounds) => {
      const pool = poolOf(weights.map((weight) => ({ weight, priority: 0 })));
      const counts = new Map<Address | undefined, number>();
      const turns = rounds * weights.reduce((sum, weight) => sum + weight, 0);
      for (let turn = 0; turn < turns; turn++) {
        const chosen = pool.choose([]);
        counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
      }
      assert.deepEqual(
        pool.addresses.map((address) => counts.get(address)),
        weights.map((weight) => weight * rounds),
      );
    }),
  );
});

test('calls at once are spread by the weights to within one call', () => {
  const anyWeights = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 6 });
  // What comes, and which of those that run ends: an address that is slow gets less.
  const anySteps = fc.array(fc.option(fc.nat(100)), { minLength: 20, maxLength: 200 });
  fc.assert(
    fc.property(anyWeights, anySteps, (weights, steps) => {
      const pool = poolOf(weights.map((weight) => ({ weight, priority: 0 })));
      const running: Address[] = [];
      for (const step of steps) {
        if (step !== null && running.length > 0) {
          const [ended] = running.splice(step % running.length, 1);
          if (ended) ended.inFlight -= 1;
          continue;
        }
        const chosen = pool.choose([]);
        assert.ok(chosen);
        for (const other of pool.addresses)
          assert.ok(chosen.inFlight / chosen.weight <= other.inFlight / other.weight);
        chosen.inFlight += 1;
        running.push(chosen);
      }
    }),
  );
});

test('weight 0 among others is hardly ever chosen, and weight 0 alone is as any other', () => {
  const among = poolOf([
    { weight: 0, priority: 0 },
    { weight: 10, priority: 0 },
  ]);
  const chosen = Array.from({ length: 101 }, () => among.choose([])?.origin);
  assert.equal(chosen.filter((origin) => origin === 'http://10.0.0.1:8000').length, 1);
  const alone = poolOf([
    { weight: 0, priority: 0 },
    { weight: 0, priority: 0 },
    { weight: 5, priority: 1 },
  ]);
  const turns = Array.from({ length: 4 }, () => alone.choose([])?.origin);
  assert.deepEqual(turns.toSorted(), [
    'http://10.0.0.1:8000',
    'http://10.0.0.1:8000',
    'http://10.0.0.2:8000',
    'http://10.0.0.2:8000',
  ]);
});

test('an address that stays listed stays what it is, and one that comes back is a new one', () => {
  const pool = poolOf([
    { weight: 1, priority: 0 },
    { weight: 1, priority: 0 },
  ]);
  const [first, second] = pool.addresses;
  assert.ok(first && second);
  Object.assign(first, { isWell: false, inFlight: 3 });
  const listed = (host: string, weight = 1): FoundAddress => ({ host, port: 8000, weight, priority: 0 });
  const change = pool.replace([listed('10.0.0.1', 7), listed('10.0.0.9')]);
  assert.deepEqual(change.removed, [second]);
  assert.deepEqual(
    change.added.map(({ origin }) => origin),
    ['http://10.0.0.9:8000'],
  );
  assert.equal(second.isGone, true);
  assert.equal(pool.addresses[0], first);
  assert.deepEqual([first.isWell, first.inFlight, first.weight], [false, 3, 7]);
  pool.replace([listed('10.0.0.2')]);
  assert.notEqual(pool.addresses[0], second);
  assert.deepEqual([pool.addresses[0]?.isGone, pool.addresses[0]?.inFlight], [false, 0]);
});

test('an address that named a time, and is listed again before that, is left alone until then', () => {
  let nowMs = 1_000;
  const pool = new AddressPool(BASE, () => nowMs);
  const [a, b] = ['10.0.0.1', '10.0.0.2'].map((host) => ({ host, weight: 1, priority: 0 }));
  assert.ok(a && b);
  pool.replace([a, b]);
  const [first] = pool.addresses;
  assert.ok(first);
  pool.rest(first, 5_000);
  pool.replace([b]);
  nowMs = 3_000;
  pool.replace([b]);
  pool.replace([a, b]);
  assert.deepEqual(
    pool.addresses.map(({ restsUntilMs }) => restsUntilMs),
    [6_000, 0],
  );
  pool.replace([b]);
  nowMs = 6_000;
  pool.replace([a, b]);
  assert.equal(pool.addresses[0]?.restsUntilMs, 0, 'its time is over');
});

const one = (found: Partial<FoundAddress> & { host: string }): FoundAddress => ({
  weight: 1,
  priority: 0,
  ...found,
});

test('what is listed as an address goes by the name of the base URL, what is listed as a URL by its own', () => {
  const pool = new AddressPool({ origin: 'https://models.test:8443', path: '/v1' }, () => 0);
  pool.replace([
    one({ host: '10.0.0.1', port: 9000 }),
    one({ host: 'fd00::1' }),
    one({ scheme: 'https:', host: 'gpu-7.test', path: '/v1/' }),
    one({ host: 'models.test' }),
  ]);
  assert.deepEqual(
    pool.addresses.map(({ origin, name }) => [origin, name]),
    [
      ['https://10.0.0.1:9000', 'https://models.test:8443'],
      ['https://[fd00::1]:8443', 'https://models.test:8443'],
      ['https://gpu-7.test', undefined],
      ['https://models.test:8443', undefined],
    ],
  );
});

test('an address at which credentials would be in the clear, or that has another path, is refused, and nothing changes', () => {
  const pool = new AddressPool({ origin: 'https://models.test', path: '/v1' }, () => 0);
  pool.replace([one({ host: '10.0.0.1' })]);
  assert.throws(() => pool.replace([one({ scheme: 'http:', host: 'gpu-7.test' })]), /in the clear/);
  assert.throws(
    () => pool.replace([one({ scheme: 'https:', host: 'gpu-7.test', path: '/v2' })]),
    /the path \/v2/,
  );
  assert.deepEqual(
    pool.addresses.map(({ origin }) => origin),
    ['https://10.0.0.1'],
  );
});
