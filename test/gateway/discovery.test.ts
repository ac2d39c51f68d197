import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { healthSchema } from '../../src/telemetry/health.ts';
import { adminClient } from '../support/admin.ts';
import { type DnsRecord, startDnsServer } from '../support/dns-server.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { ModelServer } from '../support/model-server.ts';
import { scale } from '../support/scale.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const ask = { model: 'pool/m', messages: [{ role: 'user', content: 'Hi' }] };

function pool(settings: object, more: object = {}) {
  return {
    providers: { pool: { adapter: 'openai-compatible', baseUrl: 'http://models.test:8000/v1', ...settings } },
    ...more,
  };
}

async function startServers(
  context: TestContext,
  ...options: ConstructorParameters<typeof ModelServer>[0][]
) {
  const servers = await Promise.all(options.map((one) => new ModelServer(one).start()));
  context.after(() => Promise.all(servers.map((server) => server.kill())));
  return servers as [ModelServer, ModelServer, ...ModelServer[]];
}

async function startWith(
  context: TestContext,
  config: object,
  fetchList?: typeof fetch,
): Promise<TestGateway> {
  const gateway = await startGateway(config, fetchList);
  context.after(() => gateway.stop());
  return gateway;
}

/** A file that lists these servers, written as a whole. */
async function listIn(file: string, servers: readonly ModelServer[]): Promise<void> {
  await writeFile(`${file}.new`, servers.map(({ address }) => `${address}\n`).join(''));
  await rename(`${file}.new`, file);
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 400; waited++) {
    if (await isSo()) return;
    await sleep(25);
  }
  assert.fail(`it did not come to this: ${what}`);
}

/** The text of the answer, which must be a good one. */
async function answerOf(gateway: TestGateway): Promise<string> {
  const response = await gateway.post('/v1/chat/completions', ask);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const answer = JSON.parse(text) as { choices: [{ message: { content: string } }] };
  return answer.choices[0].message.content;
}

async function answersOf(gateway: TestGateway, count: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let call = 0; call < count; call++) {
    const from = (await answerOf(gateway)).replace('from ', '');
    counts[from] = (counts[from] ?? 0) + 1;
  }
  return counts;
}

async function eventsOf(
  gateway: TestGateway,
  ...kinds: string[]
): Promise<{ kind: string; severity: string }[]> {
  const { body } = await adminClient(gateway.url).must('GET', '/events?limit=100');
  const events = body['data'] as unknown as { kind: string; severity: string }[];
  return events.filter(({ kind }) => kinds.includes(kind)).toReversed();
}

/** The addresses that calls of the pool may go to, as health has them. */
async function addressesOf(gateway: TestGateway): Promise<{ address: string; healthy: boolean }[]> {
  const { body } = await adminClient(gateway.url).must('GET', '/health');
  const { providers } = healthSchema.parse(body);
  return providers.find(({ name }) => name === 'pool')?.accounts[0]?.addresses ?? [];
}

async function unwellOf(gateway: TestGateway): Promise<string[]> {
  const addresses = await addressesOf(gateway);
  return addresses.filter(({ healthy }) => !healthy).map(({ address }) => address.replace('http://', ''));
}

const callsOf = ({ requests }: ModelServer) =>
  requests.filter(({ path }) => path.endsWith('/completions')).length;

const a = (address: string): DnsRecord => ({ type: 'A', address });

test('calls go to the addresses that a file lists, under the name of the base URL', async (context) => {
  const servers = await startServers(context, {}, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, servers);
  const gateway = await startWith(context, pool({ discovery: { file } }));
  assert.deepEqual(
    await answersOf(gateway, 9),
    Object.fromEntries(servers.map(({ address }) => [address, 3])),
  );
  assert.equal(servers[0].requests[0]?.headers['host'], 'models.test:8000');
});

test('calls go to the A records of a name, and follow them', async (context) => {
  const [one, two] = await startServers(context, { host: '127.0.0.2' }, { host: '127.0.0.3' });
  const dns = await startDnsServer({ 'models.test': [a('127.0.0.2')] });
  context.after(() => dns.close());
  // Both have to have one port: the second takes that of the first.
  await two.kill();
  two.port = one.port;
  await two.start();
  const discovery = { dns: 'models.test', port: one.port, server: dns.address, interval: '50ms' };
  const gateway = await startWith(context, pool({ discovery }));
  assert.deepEqual(await answersOf(gateway, 2), { [one.address]: 2 });
  dns.zone.set('models.test', [a('127.0.0.3')]);
  await until(
    'calls go to the other address',
    async () => (await answerOf(gateway)) === `from ${two.address}`,
  );
  assert.deepEqual(await answersOf(gateway, 3), { [two.address]: 3 });
  assert.deepEqual(dns.malformed, []);
});

test('calls are spread by the weights of SRV records, and go to a lower priority when the higher is away', async (context) => {
  const servers = await startServers(context, {}, {}, {});
  const [one, two, spare] = servers;
  assert.ok(spare);
  const srv = (target: string, { port }: ModelServer, weight: number, priority: number): DnsRecord => ({
    ...{ type: 'SRV', target, port, weight, priority },
  });
  const dns = await startDnsServer({
    '_http._tcp.models.test': [
      srv('one.test', one, 3, 0),
      srv('two.test', two, 1, 0),
      srv('spare.test', spare, 1, 1),
    ],
    ...Object.fromEntries(['one.test', 'two.test', 'spare.test'].map((name) => [name, [a('127.0.0.1')]])),
  });
  context.after(() => dns.close());
  const discovery = { dns: '_http._tcp.models.test', type: 'SRV', server: dns.address };
  const gateway = await startWith(context, pool({ discovery }));
  assert.deepEqual(await answersOf(gateway, 8), { [one.address]: 6, [two.address]: 2 });
  await one.kill();
  assert.deepEqual(await answersOf(gateway, 4), { [two.address]: 4 });
  await two.kill();
  assert.deepEqual(await answersOf(gateway, 4), { [spare.address]: 4 });
});

test('calls go to what an endpoint lists, which is asked with its own headers', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  const asked: (string | undefined)[] = [];
  const registry = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers['x-consul-token']}`);
    const service = ({ host, port }: ModelServer) => ({ Service: { Address: host, Port: port }, Checks: [] });
    response.end(JSON.stringify([one, two].map(service)));
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  context.after(() => registry.close());
  const { port } = registry.address() as import('node:net').AddressInfo;
  const url = `http://127.0.0.1:${port}/v1/health/service/vllm?passing`;
  const discovery = { url, headers: { 'x-consul-token': 'a-token-of-consul' } };
  const gateway = await startWith(context, pool({ discovery }), fetch);
  assert.deepEqual(await answersOf(gateway, 4), { [one.address]: 2, [two.address]: 2 });
  assert.deepEqual(asked, ['/v1/health/service/vllm?passing a-token-of-consul']);
});

test('an address that refuses connections is not used until it is back, and no client sees it', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [one, two]);
  const gateway = await startWith(context, pool({ discovery: { file } }));
  await one.kill();
  assert.deepEqual(await answersOf(gateway, 6), { [two.address]: 6 });
  // Of the six calls one met the address that was gone.
  const refused = (await gateway.calls(6)).filter(({ attempts }) => attempts.length > 1);
  assert.equal(refused.length, 1);
  const { body } = await adminClient(gateway.url).must('GET', '/calls?limit=100');
  const shown = body['data'] as unknown as { attempts: { address?: string; reason?: string }[] }[];
  assert.deepEqual(
    shown.flatMap(({ attempts }) => attempts.map(({ address, reason }) => `${address} ${reason}`)).toSorted(),
    [
      ...Array(6).fill(`http://${two.address} undefined`),
      `http://${one.address} connection_refused`,
    ].toSorted(),
  );
  await until(
    'an event tells of it',
    async () => (await eventsOf(gateway, 'address_unhealthy')).length === 1,
  );
  await one.start();
  await until('it is used again', async () => (await answerOf(gateway)) === `from ${one.address}`);
  assert.deepEqual((await eventsOf(gateway, 'address_healthy')).length, 1);
});

test('a server that is busy gets less than one that is not', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [one, two]);
  const gateway = await startWith(context, pool({ discovery: { file } }));
  one.answerMs = 1_000;
  const running = [answerOf(gateway), answerOf(gateway)];
  await until('each has one', () => one.running === 1 && two.answered === 1);
  assert.deepEqual(await answersOf(gateway, 8), { [two.address]: 8 });
  await Promise.all(running);
  one.answerMs = 0;
  const after = await answersOf(gateway, 4);
  assert.deepEqual(after, { [one.address]: 2, [two.address]: 2 });
});

test('a call that fails at one address is made at another, not more than three times', async (context) => {
  const servers = await startServers(context, {}, {}, {}, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, servers);
  const gateway = await startWith(context, pool({ discovery: { file } }));
  for (const server of servers.slice(0, 4)) server.status = 500;
  for (let call = 0; call < 5; call++) await (await gateway.post('/v1/chat/completions', ask)).text();
  for (const { attempts } of await gateway.calls(5)) {
    assert.ok(attempts.length <= 3);
    assert.ok(attempts.length === 3 || attempts.at(-1)?.outcome === 'ok');
  }
  // One after another: three attempts never went to one server twice.
  const perCall = servers.map(({ requests }) => requests.length);
  assert.ok(Math.max(...perCall) <= 5);
});

test('of three servers one that answers 500 gets no calls after five failures, until a check finds it well', async (context) => {
  const servers = await startServers(context, {}, {}, {});
  const [one, two, three] = servers;
  assert.ok(three);
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, servers);
  // Checks are to say when it is back, not that it is gone.
  const check = { path: '/health', interval: '25ms', unhealthyAfter: 1_000_000, healthyAfter: 2 };
  const gateway = await startWith(context, pool({ discovery: { file }, health: { check } }));
  const health = async () => {
    const { body } = await adminClient(gateway.url).must('GET', '/health');
    const { providers } = healthSchema.parse(body);
    return providers.find(({ name }) => name === 'pool')?.accounts[0]?.addresses;
  };
  const checksOf = ({ requests }: ModelServer) => requests.filter(({ path }) => path === '/health').length;
  await until('each was found well', () => servers.every((server) => checksOf(server) > 1));
  one.status = 500;
  one.healthStatus = 503;
  const answers = await answersOf(gateway, 40);
  assert.deepEqual(Object.keys(answers).toSorted(), [two.address, three.address].toSorted());
  assert.equal(callsOf(one), 5);
  const [ejected] = await eventsOf(gateway, 'address_ejected');
  assert.deepEqual((ejected as unknown as { details: object }).details, {
    ...{ provider: 'pool', account: 'none', address: `http://${one.address}`, forSeconds: 30 },
    reason: '5 attempts one after another failed, the last one: status_500',
  });
  const shown = (await health())?.find(({ address }) => address === `http://${one.address}`);
  assert.equal(shown?.healthy, false);
  assert.ok(Date.parse(shown.ejectedUntil ?? '') > Date.now());
  one.status = 200;
  one.healthStatus = 200;
  await until('it is back', async () => (await eventsOf(gateway, 'address_readmitted')).length === 1);
  await answersOf(gateway, 6);
  assert.equal(callsOf(one), 7);
  assert.deepEqual(
    (await health())?.map(({ healthy, ejectedUntil }) => [healthy, ejectedUntil]),
    Array(3).fill([true, null]),
  );
});

test('a server that hangs gets no calls once ten clients have left it, who had waited for long', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [one, two]);
  const gateway = await startWith(context, pool({ discovery: { file } }));
  assert.deepEqual(await answersOf(gateway, 2), { [one.address]: 1, [two.address]: 1 });
  one.answerMs = 600_000;
  // As slow as that it has as much under way as the other.
  two.answerMs = 500;
  const patient = () => gateway.post('/v1/chat/completions', ask, { signal: AbortSignal.timeout(4_000) });
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, patient));
  assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 10);
  await until('it is left out', async () => (await unwellOf(gateway)).includes(one.address));
  two.answerMs = 0;
  assert.deepEqual(await answersOf(gateway, 6), { [two.address]: 6 });
  assert.deepEqual(await eventsOf(gateway, 'breaker_opened'), [], 'the account is well');
});

test('however many servers of a provider fail, the next target has its turn', async (context) => {
  const [one, ...others] = await startServers(context, {}, {}, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, others);
  const { providers } = pool({ discovery: { file } });
  const gateway = await startWith(context, {
    providers: { ...providers, other: { adapter: 'openai-compatible', baseUrl: `http://${one.address}/v1` } },
    models: {
      m: { targets: ['pool/m', 'other/m'] },
      once: { targets: ['pool/m', 'other/m'], retries: 1 },
    },
  });
  for (const server of others) server.status = 503;
  for (const [model, attempts] of Object.entries({ m: '4', once: '2' })) {
    const response = await gateway.post('/v1/chat/completions', { ...ask, model });
    await response.text();
    const { headers, status } = response;
    assert.deepEqual(
      [status, headers.get('x-fairlead-target'), headers.get('x-fairlead-attempts')],
      [200, 'other/m', attempts],
    );
  }
});

test('a server that names the time before which it is not to be called is not, and the others go on', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [one, two]);
  const gateway = await startWith(context, pool({ discovery: { file } }));
  one.status = 503;
  one.headers = { 'retry-after': '60' };
  assert.deepEqual(await answersOf(gateway, 6), { [two.address]: 6 });
  assert.equal(one.requests.length, 1);
  two.status = 503;
  two.headers = { 'retry-after': '40' };
  const statuses: number[] = [];
  for (let call = 0; call < 3; call++) {
    const response = await gateway.post('/v1/chat/completions', ask);
    await response.text();
    statuses.push(response.status);
  }
  // Both have named one: the first call was told so by the second of them.
  assert.deepEqual(statuses, [502, 502, 502]);
  assert.deepEqual([one.requests.length, two.requests.length], [1, 7]);
});

test('further servers of a place are tried within its retry budget', async (context) => {
  const servers = await startServers(context, {}, {}, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, servers);
  const health = { breaker: { errorRate: 1, minCalls: 1_000 } };
  const gateway = await startWith(context, pool({ discovery: { file }, health }));
  const calls = 200;
  for (let call = 0; call < calls; call++) {
    // Each other one that a server is sent fails, wherever it is sent.
    for (const server of servers) server.status = callsOf(server) % 2 === 0 ? 503 : 200;
    const response = await gateway.post('/v1/chat/completions', ask);
    await response.text();
  }
  const requests = servers.reduce((sum, server) => sum + callsOf(server), 0);
  assert.ok(requests > calls + 10, `${requests} requests: no other server was tried`);
  assert.ok(requests <= calls * 1.2 + 10, `${requests} requests for ${calls} calls`);
});

test('where all servers named a time, one that is new, or back, is called at once', async (context) => {
  const [one, two, three] = await startServers(context, {}, {}, {});
  assert.ok(three);
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [one, two]);
  const gateway = await startWith(context, pool({ discovery: { file } }));
  for (const [server, seconds] of [
    [one, '600'],
    [two, '300'],
  ] as const) {
    server.status = 503;
    server.headers = { 'retry-after': seconds };
  }
  const askOnce = async () => {
    const response = await gateway.post('/v1/chat/completions', ask);
    await response.text();
    return response;
  };
  assert.equal((await askOnce()).status, 502);
  const told = await askOnce();
  assert.equal(told.status, 502);
  assert.ok(Number(told.headers.get('retry-after')) > 250);
  assert.equal((await eventsOf(gateway, 'cooling_began')).length, 1);
  await listIn(file, [one, two, three]);
  await until('the new server is called', async () => (await askOnce()).status === 200);
  await listIn(file, [three]);
  await until('the list is read', async () => (await addressesOf(gateway)).length === 1);
  assert.deepEqual(await answersOf(gateway, 3), { [three.address]: 3 });
  assert.deepEqual([callsOf(one), callsOf(two)], [1, 1]);
});

test('a server that named a time is not called before it where it is the only one for a while, and another that is back is at once', async (context) => {
  const [loading, restarting] = await startServers(context, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [loading, restarting]);
  const check = { path: '/health', interval: '1s', timeout: '500ms', unhealthyAfter: 1, healthyAfter: 1 };
  const gateway = await startWith(context, pool({ discovery: { file }, health: { check } }));
  restarting.healthStatus = 503;
  await until('the check has failed', async () => (await unwellOf(gateway)).includes(restarting.address));
  loading.status = 503;
  loading.headers = { 'retry-after': '120' };
  const askOnce = async () => {
    const response = await gateway.post('/v1/chat/completions', ask);
    await response.text();
    return response.status;
  };
  for (let call = 0; call < 3; call++) assert.equal(await askOnce(), 502);
  assert.equal(callsOf(loading), 1);
  restarting.healthStatus = 200;
  await until('the check goes well', async () => (await unwellOf(gateway)).length === 0);
  assert.equal(await askOnce(), 200);
  assert.equal(callsOf(loading), 1);
});

test('one server that fails all of its calls has no breaker opened, all of them together have', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [one, two]);
  const breaker = { minCalls: 5, errorRate: 0.5 };
  const gateway = await startWith(context, pool({ discovery: { file }, health: { breaker } }));
  one.status = 500;
  assert.deepEqual(await answersOf(gateway, 20), { [two.address]: 20 });
  assert.deepEqual(await eventsOf(gateway, 'breaker_opened'), []);
  two.status = 500;
  for (let call = 0; call < 10; call++) await (await gateway.post('/v1/chat/completions', ask)).text();
  assert.equal((await eventsOf(gateway, 'breaker_opened')).length, 1);
});

test('where no address is well all are used rather than none', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  for (const server of [one, two]) server.healthStatus = 503;
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [one, two]);
  const health = { check: { path: '/health', interval: '50ms' } };
  const gateway = await startWith(context, pool({ discovery: { file }, health }));
  await until('both are out', () => gateway.logs().split('"address_unhealthy"').length === 3);
  assert.deepEqual(await answersOf(gateway, 4), { [one.address]: 2, [two.address]: 2 });
});

test('each address that is out is an event of its own', async (context) => {
  const [one, two, three] = await startServers(context, {}, {}, {});
  assert.ok(three);
  for (const server of [one, two]) server.healthStatus = 503;
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [one, two, three]);
  const health = { check: { path: '/health', interval: '50ms' } };
  const gateway = await startWith(context, pool({ discovery: { file }, health }));
  const out = async () => {
    const events = (await eventsOf(gateway, 'address_unhealthy')) as unknown as {
      details: { address: string };
    }[];
    return events.map(({ details }) => details.address).toSorted();
  };
  await until('both are told', async () => (await out()).length === 2);
  assert.deepEqual(await out(), [`http://${one.address}`, `http://${two.address}`].toSorted());
});

test('an address that fails its check is not used, and is when it passes again', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [one, two]);
  const check = { path: '/health', interval: '25ms', unhealthyAfter: 2, healthyAfter: 2 };
  const gateway = await startWith(context, pool({ discovery: { file }, health: { check } }));
  assert.deepEqual(await answersOf(gateway, 4), { [one.address]: 2, [two.address]: 2 });
  one.healthStatus = 503;
  await until('it is out', async () => (await eventsOf(gateway, 'address_unhealthy')).length === 1);
  assert.deepEqual(await answersOf(gateway, 4), { [two.address]: 4 });
  one.healthStatus = 200;
  await until('it is back', async () => (await answerOf(gateway)) === `from ${one.address}`);
  const checked = one.requests.find(({ path }) => path === '/health');
  assert.equal(checked?.headers['host'], 'models.test:8000');
});

test('a check below the base URL has the credential of the account', async (context) => {
  const [one] = await startServers(context, {});
  const accounts = [
    { name: 'good', apiKey: 'sk-model-server' },
    { name: 'bad', apiKey: 'sk-another' },
  ];
  const health = { check: { path: 'models', interval: '25ms' } };
  const gateway = await startWith(context, pool({ baseUrl: `http://${one.address}/v1`, accounts, health }));
  await until('the account without access is out', async () =>
    (await eventsOf(gateway, 'address_unhealthy')).some(
      (event) => (event as unknown as { details: { account: string } }).details.account === 'bad',
    ),
  );
  const paths = one.requests.map(({ path }) => path);
  assert.ok(paths.every((path) => path === '/v1/models'));
  assert.equal(
    one.requests.some(({ headers }) => headers.authorization === 'Bearer sk-model-server'),
    true,
  );
});

test('without discovery, a provider that fails its check is tried last', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  const health = { check: { path: '/health', interval: '25ms', unhealthyAfter: 1, healthyAfter: 1 } };
  const provider = ({ address }: ModelServer) => ({
    ...{ adapter: 'openai-compatible', baseUrl: `http://${address}/v1`, health },
  });
  const gateway = await startWith(context, {
    providers: { first: provider(one), second: provider(two) },
    models: { m: { targets: ['first/m', 'second/m'] } },
  });
  const targetOf = async () => {
    const response = await gateway.post('/v1/chat/completions', { ...ask, model: 'm' });
    await response.text();
    return response.headers.get('x-fairlead-target');
  };
  assert.equal(await targetOf(), 'first/m');
  one.healthStatus = 500;
  await until('the other target is called first', async () => (await targetOf()) === 'second/m');
  two.healthStatus = 500;
  await until('both are out, in their order', async () => (await targetOf()) === 'first/m');
  const calls = await gateway.calls(3);
  assert.ok(calls.every(({ attempts }) => attempts.length === 1));
});

test('no address at all is told as such, and the next target answers', async (context) => {
  const [one] = await startServers(context, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  const gateway = await startWith(context, {
    providers: {
      ...pool({ discovery: { file } }).providers,
      other: { adapter: 'openai-compatible', baseUrl: `http://${one.address}/v1` },
    },
    models: { m: { targets: ['pool/m', 'other/m'] } },
  });
  const direct = await gateway.post('/v1/chat/completions', ask);
  assert.equal(direct.status, 502);
  assert.match(await direct.text(), /'pool' has no server that is known/);
  assert.equal(direct.headers.get('x-fairlead-attempts'), '0', 'nothing was sent');
  const failedOver = await gateway.post('/v1/chat/completions', { ...ask, model: 'm' });
  assert.deepEqual([failedOver.status, failedOver.headers.get('x-fairlead-target')], [200, 'other/m']);
  const [failed] = await eventsOf(gateway, 'discovery_failed');
  assert.equal(failed?.severity, 'alarm');
  await listIn(file, [one]);
  await until(
    'the list is there',
    async () => (await gateway.post('/v1/chat/completions', ask)).status === 200,
  );
  assert.equal((await eventsOf(gateway, 'discovery_recovered')).length, 1);
});

test('an address that is gone from the list finishes what it has begun, gets nothing new, and its idle connections are closed', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, [one, two]);
  const gateway = await startWith(context, pool({ discovery: { file } }));
  await Promise.all(Array.from({ length: 6 }, () => answerOf(gateway)));
  assert.ok(one.openConnections > 1);
  one.answerMs = 1_500;
  two.answerMs = 1_500;
  const running = [answerOf(gateway), answerOf(gateway)];
  await until('both answer', () => one.running + two.running === 2);
  assert.deepEqual([one.running, two.running], [1, 1]);
  await listIn(file, [two]);
  await until('one connection is left, which is in use', () => one.openConnections === 1);
  two.answerMs = 0;
  const before = one.requests.length;
  assert.deepEqual(await answersOf(gateway, 6), { [two.address]: 6 });
  assert.equal(one.running, 1);
  assert.deepEqual(
    new Set(await Promise.all(running)),
    new Set([`from ${one.address}`, `from ${two.address}`]),
  );
  await until('nothing is open', () => one.openConnections === 0);
  assert.equal(one.requests.length, before);
});

test('servers come and go under load, and no client sees it', async (context) => {
  const servers = await startServers(context, {}, {}, {}, {});
  for (const server of servers) server.answerMs = 20;
  const file = join(makeTempDirectory(context), 'servers.txt');
  await listIn(file, servers);
  const health = { check: { path: '/health', interval: '500ms', timeout: '1s' } };
  const gateway = await startWith(context, pool({ discovery: { file }, health }));
  let isOver = false;
  let answered = 0;
  const failures: string[] = [];
  const callers = Array.from({ length: 20 }, async () => {
    while (!isOver) {
      const response = await gateway.post('/v1/chat/completions', ask);
      const text = await response.text();
      if (response.status === 200) answered += 1;
      else failures.push(`${response.status} ${text}`);
    }
  });
  const [one, two, three, four] = servers;
  assert.ok(three && four);
  const rounds = scale({ sample: 2, heavy: 20 });
  for (let round = 0; round < rounds; round++) {
    // Dies in the middle of its answers, and is listed still.
    await one.kill();
    await sleep(100);
    // Is taken from the list, finishes, and stops: a rolling update.
    await listIn(file, [one, three, four]);
    await until('nothing is open to it', () => two.openConnections === 0);
    await two.drain();
    await one.start();
    await two.start();
    await listIn(file, servers);
    // Stops without a word to anybody.
    await three.drain();
    await until('the first two are used again', () => one.running > 0 && two.running > 0);
    await three.start();
    await until('the third is used again', () => three.running > 0);
    await four.kill();
    await four.start();
    await until('the fourth is used again', () => four.running > 0);
  }
  isOver = true;
  await Promise.all(callers);
  assert.deepEqual(failures, []);
  assert.ok(answered > 100, `${answered} answers`);
  const calls = await gateway.calls(answered);
  const attempts = calls.reduce((sum, call) => sum + call.attempts.length, 0);
  // The servers that were well go on as if nothing had been.
  assert.deepEqual(await eventsOf(gateway, 'breaker_opened'), []);
  assert.ok(attempts <= 1.2 * calls.length, `${attempts} attempts for ${calls.length} calls`);
});

test('a change of the configuration goes on from what is known, and ends what it has no more', async (context) => {
  const [one, two] = await startServers(context, {}, {});
  const dns = await startDnsServer({ 'models.test': [a('127.0.0.1')], 'others.test': [a('127.0.0.1')] });
  context.after(() => dns.close());
  const folder = makeTempDirectory(context);
  const discovery = ({ port }: ModelServer, name: string) => ({
    ...{ dns: name, port, server: dns.address, interval: '25ms' },
  });
  const file = (settings: object) =>
    stringify({
      server: { port: 0 },
      tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
      ...pool(settings),
    });
  const gateway = await startGateway({}, undefined, {
    folder,
    file: file({ discovery: discovery(one, 'models.test') }),
  });
  context.after(() => gateway.stop());
  assert.deepEqual(await answersOf(gateway, 1), { [one.address]: 1 });
  one.answerMs = 1_000;
  const running = answerOf(gateway);
  await until('the call is there', () => one.running === 1);
  const change = async (settings: object) => {
    await writeFile(join(folder, 'fairlead.yaml'), file(settings));
    await gateway.reload();
  };
  await change({ discovery: discovery(two, 'others.test') });
  // Known at once: the configuration waited for its look-up.
  assert.deepEqual(await answersOf(gateway, 2), { [two.address]: 2 });
  const asked = () => dns.questions.filter(({ name }) => name === 'models.test').length;
  const before = asked();
  await until(
    'the other name is asked for again and again',
    () => dns.questions.at(-1)?.name === 'others.test' && dns.questions.length > before + 6,
  );
  assert.equal(asked(), before);
  assert.equal(await running, `from ${one.address}`);
  await until('nothing is open to the address of before', () => one.openConnections === 0);
  await change({ baseUrl: `http://${one.address}/v1` });
  one.answerMs = 0;
  assert.deepEqual(await answersOf(gateway, 2), { [one.address]: 2 });
  await until('nothing is open to the other', () => two.openConnections === 0);
});

test('a stop ends look-ups and checks, and lets calls finish', async (context) => {
  const [one] = await startServers(context, {});
  const dns = await startDnsServer({ 'models.test': [a('127.0.0.1')] });
  context.after(() => dns.close());
  const gateway = await startGateway(
    pool({
      discovery: { dns: 'models.test', port: one.port, server: dns.address, interval: '10ms' },
      health: { check: { path: '/health', interval: '10ms' } },
    }),
  );
  one.answerMs = 300;
  const running = answerOf(gateway);
  await until('the call is there', () => one.running === 1);
  const stopped = gateway.stop();
  const [asked, checked] = [dns.questions.length, one.requests.length];
  assert.equal(await running, `from ${one.address}`);
  await stopped;
  // What was under way when it stopped may have arrived after that.
  assert.ok(dns.questions.length <= asked + 2);
  assert.ok(one.requests.length <= checked + 1);
});
