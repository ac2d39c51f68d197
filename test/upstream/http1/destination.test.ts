import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { Destination } from '../../../src/upstream/connections.ts';
import { ask } from '../../support/exchange-recorder.ts';
import { made } from '../../support/exchange-setting.ts';
import { ModelServer } from '../../support/model-server.ts';

const PATH = { path: '/v1/chat/completions' };

/** A server at an address that its certificate does not have. */
async function serve(context: TestContext, tls: boolean): Promise<ModelServer> {
  const server = await new ModelServer({ host: '127.0.0.2', tls }).start();
  context.after(() => server.kill());
  return server;
}

function destinationOf(
  { address }: ModelServer,
  scheme: string,
  name?: string,
): { -readonly [K in keyof Destination]: Destination[K] } {
  const origin = `${scheme}://${address}`;
  return { origin, name, key: `${origin} as ${name}`, isGone: false };
}

for (const [name, host, serverName] of [
  ['https://localhost:8443', 'localhost:8443', 'localhost'],
  // An address is no name to ask for, but certificates have addresses, too.
  ['https://127.0.0.1', '127.0.0.1', ''],
] as const) {
  test(`a destination that goes by the name of ${name} has its certificate checked for that`, async (context) => {
    const server = await serve(context, true);
    const destination = destinationOf(server, 'https', name);
    const recorder = await ask(made(context), name, { ...PATH, destination, body: Buffer.from('{}') }).over;
    assert.equal(recorder.course, 'request start data end');
    assert.equal(server.requests[0]?.headers['host'], host);
    assert.deepEqual(server.serverNames, [serverName]);
  });
}

for (const name of ['https://models.test', 'https://127.0.0.9', undefined]) {
  test(`a destination whose certificate has not the name ${name ?? 'of its own address'} is sent nothing`, async (context) => {
    const server = await serve(context, true);
    const destination = destinationOf(server, 'https', name);
    const recorder = await ask(made(context), 'https://models.test', { ...PATH, destination }).over;
    assert.deepEqual([recorder.course, recorder.error?.code], ['error', 'ERR_TLS_CERT_ALTNAME_INVALID']);
    assert.deepEqual(server.requests, []);
  });
}

test('uploads go to the destination under the name of the origin', async (context) => {
  const server = await serve(context, false);
  const name = 'http://models.test:8000';
  const destination = destinationOf(server, 'http', name);
  const body = new PassThrough();
  const asked = ask(made(context), name, { ...PATH, destination, body });
  body.end('{}');
  assert.equal((await asked.over).course, 'request start data end');
  assert.equal(server.requests[0]?.headers['host'], 'models.test:8000');
});

test('behind its retirement a destination keeps nothing open, and what is under way ends', async (context) => {
  const server = await serve(context, false);
  const name = 'http://models.test';
  const destination = destinationOf(server, 'http', name);
  const connections = made(context);
  await Promise.all([1, 2, 3].map(() => ask(connections, name, { ...PATH, destination }).over));
  assert.equal(server.openConnections, 3);
  server.answerMs = 200;
  const upload = new PassThrough();
  upload.write('{');
  const running = [
    ask(connections, name, { ...PATH, destination }),
    ask(connections, name, { ...PATH, destination, body: upload }),
  ];
  while (server.running < 2) await new Promise(setImmediate);
  destination.isGone = true;
  connections.retire(destination.key);
  while (server.openConnections > 2) await new Promise(setImmediate);
  assert.equal(server.running, 2);
  upload.end('}');
  // One of the configuration before may still go there.
  const late = ask(connections, name, { ...PATH, destination });
  for (const { over } of [...running, late]) assert.equal((await over).course, 'request start data end');
  while (server.openConnections > 0) await new Promise(setImmediate);
});

test('a stop ends what is under way to a destination that was retired', async (context) => {
  const server = await serve(context, false);
  server.answerMs = 60_000;
  const name = 'http://models.test';
  const destination = destinationOf(server, 'http', name);
  const connections = made(context);
  const running = ask(connections, name, { ...PATH, destination });
  while (server.running < 1) await new Promise(setImmediate);
  connections.retire(destination.key);
  await connections.close();
  assert.equal((await running.over).error?.code, 'CLOSED_EARLY');
});
