import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WatchContext } from '../../../src/upstream/addresses/address-watch.ts';
import { AddressWatches } from '../../../src/upstream/addresses/address-watches.ts';
import { listAddresses } from '../../../src/upstream/addresses/list-addresses.ts';
import type { ServerOptions } from '../../../src/upstream/addresses/servers.ts';
import { loadDeclarations } from '../../../src/upstream/load-declarations.ts';
import { buildUpstream, type Upstream } from '../../../src/upstream/upstream.ts';
import { VirtualSchedule } from '../../support/virtual-schedule.ts';

const declarations = await loadDeclarations();
const CHECK = { path: '/health', interval: 5_000, timeout: 2_000, unhealthyAfter: 1, healthyAfter: 1 };
const ENDPOINT = { discovery: { url: 'http://registry.test/servers', interval: 10_000 } };

/** Watches on a clock that stands still, in a world with one endpoint, one file and servers that are well or not. */
function setUp() {
  const time = new VirtualSchedule();
  const world = {
    list: 'one:1\ntwo:1' as string | Error,
    looked: 0,
    unwell: new Set<string>(),
    watched: 0,
    change: () => {},
    told: [] as unknown[][],
    retired: [] as string[],
  };
  const read = async () => {
    world.looked += 1;
    if (world.list instanceof Error) throw world.list;
    return world.list;
  };
  const context: WatchContext = {
    schedule: time.schedule,
    now: () => time.nowMs,
    createResolver: () => assert.fail('nothing is looked up by DNS'),
    fetch: async () => new Response(await read()),
    readFile: read,
    watchFile: (_path, onChange) => {
      world.watched += 1;
      world.change = onChange;
      return () => {
        world.watched -= 1;
      };
    },
    probe: async ({ address }) => {
      if (world.unwell.has(address.origin)) throw new Error('unwell');
    },
    retire: ({ key }) => world.retired.push(key),
    news: {
      lookUpFailed: (...told) => world.told.push(['failed', ...told]),
      lookUpRecovered: (...told) => world.told.push(['recovered', ...told]),
      changed: (...told) => world.told.push(['changed', ...told]),
      turned: (provider, account, { origin, isWell }) =>
        world.told.push(['turned', provider, account, origin, isWell]),
      ejected: (_provider, account, { origin }, forMs) =>
        world.told.push(['ejected', account, origin, forMs]),
      readmitted: (_provider, account, { origin }) => world.told.push(['readmitted', account, origin]),
    },
  };
  return { time, world, watches: new AddressWatches(context) };
}

function upstreamOf(
  options: ServerOptions,
  time: VirtualSchedule,
  before?: Upstream,
  apiKey = 'k',
): Upstream {
  const declaration = declarations.find(({ name }) => name === 'openai-compatible');
  assert.ok(declaration);
  const timeouts = { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 };
  return buildUpstream(
    {
      ...{ name: 'pool', declaration, baseUrl: 'http://models.test/v1', timeouts, ...options },
      accounts: [
        { name: 'a', apiKey },
        { name: 'b', apiKey },
      ],
    },
    { now: () => time.nowMs, fetch, warn: () => {} },
    before,
  );
}

const addressesOf = (upstream: Upstream, account = 'a') =>
  upstream.servers?.pools.get(account)?.addresses.map(({ origin }) => origin);

test('a configuration waits for its first look-ups, and all accounts have what they find', async () => {
  const { time, world, watches } = setUp();
  const upstream = upstreamOf(ENDPOINT, time);
  await watches.begin([upstream]);
  assert.deepEqual(addressesOf(upstream, 'a'), ['http://one:1', 'http://two:1']);
  assert.deepEqual(addressesOf(upstream, 'b'), ['http://one:1', 'http://two:1']);
  assert.deepEqual(world.told, [['changed', 'pool', ['http://one:1', 'http://two:1'], []]]);
});

test('a look-up that hangs is waited for three seconds', async () => {
  const { time, world, watches } = setUp();
  const upstream = upstreamOf({ discovery: { dns: 'pool.test' } }, time);
  const hanging = {
    resolve4: () => new Promise<never>(() => {}),
    resolve6: () => new Promise<never>(() => {}),
  };
  const held = new AddressWatches({
    ...{ schedule: time.schedule, now: () => 0, fetch, readFile: async () => '', watchFile: () => () => {} },
    createResolver: () => ({ ...hanging, resolveSrv: hanging.resolve4 }),
    probe: async () => {},
    retire: () => {},
    news: {
      ...{ lookUpFailed: () => {}, lookUpRecovered: () => {}, changed: () => {}, turned: () => {} },
      ...{ ejected: () => {}, readmitted: () => {} },
    },
  });
  let isOver = false;
  const begun = held.begin([upstream]).then(() => {
    isOver = true;
  });
  await time.advance(2_999);
  assert.equal(isOver, false);
  await time.advance(1);
  await begun;
  assert.deepEqual([addressesOf(upstream), world.looked], [[], 0]);
  watches.stop();
});

test('a look-up that fails or finds nothing keeps what is known, and is told once until it is over', async () => {
  const { time, world, watches } = setUp();
  const upstream = upstreamOf(ENDPOINT, time);
  await watches.begin([upstream]);
  world.told = [];
  for (const list of [new Error('connection refused'), '', '[]', '<html>', new Error('again')]) {
    world.list = list;
    await time.advance(10_000);
    assert.deepEqual(addressesOf(upstream), ['http://one:1', 'http://two:1']);
  }
  assert.deepEqual(world.told, [['failed', 'pool', 'connection refused', 2]]);
  world.list = 'two:1\nthree:1';
  await time.advance(10_000);
  assert.deepEqual(world.told.slice(1), [
    ['changed', 'pool', ['http://three:1'], ['http://one:1']],
    ['recovered', 'pool', 2],
  ]);
  assert.deepEqual(world.retired, Array(2).fill('http://one:1 as http://models.test'));
  world.list = '';
  await time.advance(10_000);
  assert.deepEqual(world.told.at(-1), ['failed', 'pool', 'the look-up found no address', 2]);
});

test('an address that no account can be called at has the whole list refused', async () => {
  const { time, world, watches } = setUp();
  const upstream = upstreamOf(ENDPOINT, time);
  await watches.begin([upstream]);
  world.list = 'three:1\nhttp://four:1/v2';
  await time.advance(10_000);
  assert.deepEqual(addressesOf(upstream), ['http://one:1', 'http://two:1']);
  assert.deepEqual(world.told.at(-1)?.slice(0, 2), ['failed', 'pool']);
});

test('a file is read when it changes, and once more when it changed while it was read', async () => {
  const { time, world, watches } = setUp();
  const upstream = upstreamOf({ discovery: { file: 'servers.txt' } }, time);
  await watches.begin([upstream]);
  await time.advance(3_600_000);
  assert.deepEqual([world.looked, world.watched], [1, 1]);
  world.list = 'three:1';
  world.change();
  world.change();
  world.change();
  await time.advance(0);
  assert.deepEqual([world.looked, addressesOf(upstream)], [3, ['http://three:1']]);
  watches.stop();
  assert.deepEqual([world.watched, time.waitingTasks], [0, 0]);
});

test('what is known of addresses outlasts a change of the configuration that is not about where they are found', async () => {
  const { time, world, watches } = setUp();
  const before = upstreamOf({ ...ENDPOINT, check: CHECK }, time);
  (await watches.begin([before]))();
  await time.advance(1_000);
  world.unwell.add('http://two:1');
  await time.advance(6_000);
  const next = upstreamOf(
    { discovery: { ...ENDPOINT.discovery, interval: 60_000 }, check: { ...CHECK, interval: 7_000 } },
    time,
    before,
    'another',
  );
  assert.notEqual(next.servers, before.servers);
  const end = await watches.begin([next]);
  end();
  assert.deepEqual(listAddresses(next.servers?.pools.get('a')), [
    {
      address: 'http://one:1',
      healthy: true,
      since: new Date(0).toISOString(),
      ejectedUntil: null,
      lastError: null,
    },
    {
      address: 'http://two:1',
      healthy: false,
      since: new Date(5_000).toISOString(),
      ejectedUntil: null,
      lastError: 'unwell',
    },
  ]);
  assert.deepEqual(world.retired, []);
  const looked = world.looked;
  await time.advance(59_000);
  assert.equal(world.looked, looked);
  await time.advance(1_000);
  assert.equal(world.looked, looked + 1);
});

test('a configuration that finds its servers elsewhere, or nowhere, leaves nothing behind', async () => {
  const { time, world, watches } = setUp();
  const before = upstreamOf({ ...ENDPOINT, check: CHECK }, time);
  (await watches.begin([before]))();
  const next = upstreamOf({ discovery: { file: 'servers.txt' } }, time, before);
  world.list = 'three:1';
  const end = await watches.begin([next]);
  assert.deepEqual(addressesOf(before), ['http://one:1', 'http://two:1']);
  end();
  const gone = before.servers?.pools.get('a')?.addresses.map(({ isGone }) => isGone);
  assert.deepEqual([addressesOf(next), gone], [['http://three:1'], [true, true]]);
  assert.equal(new Set(world.retired).size, 2);
  assert.equal(time.waitingTasks, 0);
  (await watches.begin([upstreamOf({}, time, next)]))();
  assert.deepEqual([world.watched, time.waitingTasks], [0, 0]);
});

test('a provider whose servers are the same as before is not looked up anew', async () => {
  const { time, world, watches } = setUp();
  const upstream = upstreamOf(ENDPOINT, time);
  (await watches.begin([upstream]))();
  (await watches.begin([upstream]))();
  assert.equal(world.looked, 1);
});

test('without discovery the base URL of each account is the one address', async () => {
  const { time, world, watches } = setUp();
  const upstream = upstreamOf({ check: CHECK }, time);
  world.unwell.add('http://models.test');
  const end = await watches.begin([upstream]);
  end();
  await time.advance(0);
  assert.deepEqual(world.told, [
    ['turned', 'pool', 'a', 'http://models.test', false],
    ['turned', 'pool', 'b', 'http://models.test', false],
  ]);
  (await watches.begin([]))();
  assert.deepEqual([world.retired, time.waitingTasks], [[], 0]);
});

test('nothing is looked up or checked behind a stop', async () => {
  const { time, world, watches } = setUp();
  await watches.begin([upstreamOf({ ...ENDPOINT, check: CHECK }, time)]);
  watches.stop();
  const looked = world.looked;
  await time.advance(3_600_000);
  assert.deepEqual([world.looked, time.waitingTasks], [looked, 0]);
  (await watches.begin([upstreamOf(ENDPOINT, time)]))();
  assert.equal(world.looked, looked);
});
