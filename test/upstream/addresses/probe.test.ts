import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Address } from '../../../src/upstream/addresses/address.ts';
import { probeAddress } from '../../../src/upstream/addresses/probe.ts';
import type { CheckOptions } from '../../../src/upstream/addresses/servers.ts';
import type { Connections } from '../../../src/upstream/connections.ts';
import { loadDeclarations } from '../../../src/upstream/load-declarations.ts';
import { buildUpstream } from '../../../src/upstream/upstream.ts';
import { scheduleTimeout } from '../../../src/usage/ledger.ts';
import { startByteServer, startSocketServer } from '../../support/byte-server.ts';
import { keep, made } from '../../support/exchange-setting.ts';

const declarations = await loadDeclarations();
const CHECK: CheckOptions = {
  path: '/health',
  interval: 1,
  timeout: 20_000,
  unhealthyAfter: 1,
  healthyAfter: 1,
};

function probe(
  connections: Connections,
  origin: string,
  check?: Partial<CheckOptions> | null,
): Promise<void> {
  const declaration = declarations.find(({ name }) => name === 'openai-compatible');
  assert.ok(declaration);
  const upstream = buildUpstream(
    {
      ...{ name: 'pool', declaration, baseUrl: 'http://models.test/v1' },
      accounts: [{ name: 'a', apiKey: 'sk-secret' }],
      timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
    },
    { now: Date.now, fetch, warn: () => {} },
  );
  const address = new Address(origin, 'http://models.test', { weight: 1, priority: 0 }, 0);
  return probeAddress(
    { connections, schedule: scheduleTimeout, namedWaitMs: () => undefined },
    {
      upstream,
      account: upstream.accounts[0],
      address,
      check: check === null ? undefined : { ...CHECK, ...check },
    },
  );
}

/** A server that answers with this head, and never ends its body. */
async function answering(context: TestContext, status: string) {
  return keep(
    context,
    startByteServer((socket) => socket.write(`HTTP/1.1 ${status}\r\ncontent-length: 100000\r\n\r\nok`)),
  );
}

test('an address that answers 2xx is well, whatever else it says, and is asked over a connection of its own', async (context) => {
  const server = await answering(context, '204 No Content');
  const connections = made(context);
  await probe(connections, server.origin);
  await probe(connections, server.origin);
  assert.equal(server.connections.length, 2);
  const head = server.requests[0]?.head ?? '';
  assert.match(head, /^GET \/health HTTP\/1\.1\r\nhost: models\.test\r\n/);
  assert.match(head, /authorization: Bearer sk-secret/);
});

for (const status of ['301 Moved', '401 Unauthorized', '404 Not Found', '500 Oops', '503 Loading']) {
  test(`an address that answers ${status} is not well`, async (context) => {
    const server = await answering(context, status);
    await assert.rejects(probe(made(context), server.origin), /answered with status \d{3}$/);
  });
}

test('a path without a slash stands below the base URL', async (context) => {
  const server = await answering(context, '200 OK');
  await probe(made(context), server.origin, { path: 'models?limit=1' });
  assert.match(server.requests[0]?.head ?? '', /^GET \/v1\/models\?limit=1 /);
});

test('without a configured check any answer will do, and no credential is sent', async (context) => {
  const server = await answering(context, '404 Not Found');
  await probe(made(context), server.origin, null);
  assert.doesNotMatch(server.requests[0]?.head ?? '', /authorization/);
});

test('an address that takes connections and says nothing is not well', async (context) => {
  const server = await keep(
    context,
    startSocketServer(() => undefined),
  );
  await assert.rejects(probe(made(context), server.origin, { timeout: 200 }), /no answer within 200 ms/);
  await assert.rejects(probe(made(context), server.origin, null), /no answer/);
});

test('an address that refuses, closes or says something else is not well', async (context) => {
  const gone = await startByteServer(() => undefined);
  await gone.close();
  await assert.rejects(probe(made(context), gone.origin), { code: 'ECONNREFUSED' });
  const closing = await keep(
    context,
    startSocketServer((socket) => socket.end()),
  );
  await assert.rejects(probe(made(context), closing.origin), { code: 'CLOSED_EARLY' });
  const other = await keep(
    context,
    startSocketServer((socket) => socket.write('220 mail.test ESMTP\r\n')),
  );
  await assert.rejects(probe(made(context), other.origin), { code: 'NOT_HTTP' });
});
