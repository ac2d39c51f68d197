import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { type TestContext, test } from 'node:test';
import { createLookUp, type DiscoveryOptions, type LookUp } from '../../../src/upstream/addresses/look-up.ts';
import { type DnsRecord, type DnsServer, startDnsServer } from '../../support/dns-server.ts';

/** A DNS server, which gets nothing but well-formed questions, and a look-up that asks it. */
async function setUp(
  context: TestContext,
  options: DiscoveryOptions,
  zone: Record<string, DnsRecord[]> = {},
): Promise<{ dns: DnsServer; lookUp: LookUp }> {
  const dns = await startDnsServer(zone);
  context.after(async () => {
    await dns.close();
    assert.deepEqual(dns.malformed, []);
  });
  const lookUp = createLookUp(
    { server: dns.address, ...options },
    {
      createResolver: (server) => {
        const resolver = new Resolver({ timeout: 100, tries: 1 });
        resolver.setServers([server ?? '']);
        return resolver;
      },
      fetch: () => Promise.reject(new Error('nothing is fetched')),
      readFile: () => Promise.reject(new Error('nothing is read')),
      schedule: () => () => undefined,
    },
  );
  return { dns, lookUp };
}

const a = (address: string): DnsRecord => ({ type: 'A', address });
const srv = (target: string, port: number, weight = 1, priority = 0): DnsRecord => ({
  ...{ type: 'SRV', target, port, weight, priority },
});
const hosts = (found: { host: string }[]) => found.map(({ host }) => host).toSorted();

test('the A and AAAA records of a name are its addresses, each with the one port', async (context) => {
  const { lookUp } = await setUp(
    context,
    { dns: 'Pool.test', port: 8000 },
    {
      'pool.test': [a('10.0.0.1'), a('10.0.0.2'), { type: 'AAAA', address: 'fd00::1' }],
    },
  );
  assert.deepEqual(
    (await lookUp()).toSorted((one, other) => one.host.localeCompare(other.host)),
    ['10.0.0.1', '10.0.0.2', 'fd00::1'].map((host) => ({ host, port: 8000, weight: 1, priority: 0 })),
  );
});

test('what changed in the zone is seen at once, whatever its TTL', async (context) => {
  const { dns, lookUp } = await setUp(context, { dns: 'pool.test' }, { 'pool.test': [a('10.0.0.1')] });
  assert.deepEqual(hosts(await lookUp()), ['10.0.0.1']);
  dns.zone.set('pool.test', [a('10.0.0.2')]);
  assert.deepEqual(hosts(await lookUp()), ['10.0.0.2']);
});

test('SRV records have ports, weights and priorities; their targets are looked up', async (context) => {
  const { lookUp } = await setUp(
    context,
    { dns: '_http._tcp.vllm.test', type: 'SRV' },
    {
      '_http._tcp.vllm.test': [
        srv('vllm-0.test', 8000, 10),
        srv('vllm-1.test', 8001, 30),
        srv('spare.test', 9000, 0, 1),
      ],
      'vllm-0.test': [a('10.0.0.1'), { type: 'AAAA', address: 'fd00::1' }],
      'vllm-1.test': [a('10.0.0.2')],
      'spare.test': [a('10.0.0.3')],
    },
  );
  assert.deepEqual(
    (await lookUp()).toSorted((one, other) => one.host.localeCompare(other.host)),
    [
      { host: '10.0.0.1', port: 8000, weight: 5, priority: 0 },
      { host: '10.0.0.2', port: 8001, weight: 30, priority: 0 },
      { host: '10.0.0.3', port: 9000, weight: 0, priority: 1 },
      { host: 'fd00::1', port: 8000, weight: 5, priority: 0 },
    ],
  );
});

test('a name that is not there, has no such records, or whose service is not available has no addresses', async (context) => {
  const { dns, lookUp } = await setUp(context, { dns: 'pool.test' });
  assert.deepEqual(await lookUp(), []);
  dns.zone.set('pool.test', [srv('x.test', 1)]);
  assert.deepEqual(await lookUp(), []);
  const services = await setUp(context, { dns: 'off.test', type: 'SRV' }, { 'off.test': [srv('.', 0)] });
  assert.deepEqual(await services.lookUp(), []);
});

for (const trouble of ['SERVFAIL', 'REFUSED', 'silence'] as const) {
  test(`a look-up fails where the server has ${trouble} for all of it`, async (context) => {
    const { dns, lookUp } = await setUp(context, { dns: 'pool.test' }, { 'pool.test': [a('10.0.0.1')] });
    await lookUp();
    dns.trouble.set('pool.test', trouble);
    await assert.rejects(lookUp, { name: 'Error' });
  });
}

test('a server that has trouble with AAAA loses no address of the other family, nor those that it told before', async (context) => {
  const { dns, lookUp } = await setUp(
    context,
    { dns: 'pool.test' },
    {
      'pool.test': [a('10.0.0.1'), { type: 'AAAA', address: 'fd00::1' }],
    },
  );
  dns.trouble.set('AAAA pool.test', 'SERVFAIL');
  assert.deepEqual(hosts(await lookUp()), ['10.0.0.1']);
  dns.trouble.clear();
  assert.deepEqual(hosts(await lookUp()), ['10.0.0.1', 'fd00::1']);
  dns.trouble.set('AAAA pool.test', 'silence');
  dns.zone.set('pool.test', [a('10.0.0.2')]);
  assert.deepEqual(hosts(await lookUp()), ['10.0.0.2', 'fd00::1']);
});

test('a target that cannot be looked up at the moment counts with its last address', async (context) => {
  const { dns, lookUp } = await setUp(
    context,
    { dns: 's.test', type: 'SRV' },
    {
      's.test': [srv('one.test', 1), srv('two.test', 2)],
      'one.test': [a('10.0.0.1')],
      'two.test': [a('10.0.0.2')],
    },
  );
  await lookUp();
  dns.trouble.set('two.test', 'SERVFAIL');
  assert.deepEqual(hosts(await lookUp()), ['10.0.0.1', '10.0.0.2']);
  dns.trouble.clear();
  dns.zone.delete('two.test');
  assert.deepEqual(hosts(await lookUp()), ['10.0.0.1']);
});

test('an answer that UDP has no room for is asked for over TCP', async (context) => {
  const many = Array.from({ length: 200 }, (_, index) => a(`10.0.1.${index}`));
  const { dns, lookUp } = await setUp(context, { dns: 'pool.test' }, { 'pool.test': many });
  assert.equal((await lookUp()).length, 200);
  assert.ok(dns.questions.some(({ transport }) => transport === 'tcp'));
});
