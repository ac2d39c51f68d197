import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '../../src/store/open.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import { sumUsage } from '../../src/usage/queries.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { execute } from '../support/postgres-template.ts';
import { chatAnswer, chatChunk, configFor, startRawUpstream } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';
import { startSlowWire } from '../support/slow-wire.ts';
import { makeRecord } from '../support/usage-records.ts';

/** One of its own: it goes away and comes back. */
const server = await startPostgres();
const skip = 'missing' in server ? `there is no PostgreSQL: ${server.missing}` : false;
const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
  if ('remove' in server) await server.remove();
});

function running() {
  if (!('remove' in server)) throw new Error('a test that needs PostgreSQL runs without it');
  return server;
}

let made = 0;
async function makeDatabase(): Promise<URL> {
  made += 1;
  await execute(running().url, `create database away_${made}`);
  const url = new URL(running().url);
  url.pathname = `/away_${made}`;
  return url;
}

async function startOn(store: string): Promise<TestGateway> {
  const upstream = await startRawUpstream((response, body) => {
    if (!body.includes('"stream":true')) {
      response.setHeader('content-type', 'application/json');
      response.end(chatAnswer('whole'));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chatChunk('first'));
    setTimeout(() => response.end(`${chatChunk('last')}data: [DONE]\n\n`), 20);
  });
  const gateway = await startGateway({ ...configFor(upstream), store });
  closing.push(upstream.close, gateway.stop);
  return gateway;
}

/** Calls, streams and not, one after the other until told to stop. @returns the ids of all that were answered in full */
async function callUntil(gateway: TestGateway, done: () => boolean): Promise<string[]> {
  const ids: string[] = [];
  for (let count = 0; !done(); count += 1) {
    const stream = count % 2 === 0;
    const answer = await gateway.post('/v1/chat/completions', {
      model: 'up/m',
      stream,
      messages: [{ role: 'user', content: 'Hi' }],
    });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    assert.ok(stream ? text.endsWith('data: [DONE]\n\n') : text.includes('whole'), text);
    ids.push(answer.headers.get('x-request-id') ?? '');
    // A gateway, its clients and their provider share this process with what writes the records.
    await sleep(5);
  }
  return ids;
}

function countFailures(gateway: TestGateway): number {
  return gateway.logs().split('usage ledger: write_failed').length - 1;
}

async function readIds(url: URL): Promise<string[]> {
  const { rows } = await execute(url.href, 'select id from calls order by id');
  return rows.map(({ id }: { id: string }) => id);
}

/** Stopping writes what waits. */
async function checkLedger(gateway: TestGateway, url: URL, ids: readonly string[]): Promise<void> {
  await gateway.calls(ids.length);
  assert.deepEqual(await readIds(url), [...ids].toSorted(), 'every call is there, once');
  const store = await openStore(url.href);
  assert.equal((await sumUsage(store, { groupBy: [] }))[0]?.calls, ids.length, 'and once in the sums');
  await store.close();
  assert.doesNotMatch(gateway.logs(), /record_lost/);
}

test('PostgreSQL stops and starts again under load: no call fails, and all records arrive once', {
  skip,
}, async () => {
  const url = await makeDatabase();
  const gateway = await startOn(url.href);
  let done = false;
  const clients = Array.from({ length: 4 }, () => callUntil(gateway, () => done));
  const refusals: string[] = [];
  for (let outage = 0; outage < scale({ sample: 2, heavy: 20 }); outage += 1) {
    await sleep(300);
    const failures = countFailures(gateway);
    await running().stop();
    while (countFailures(gateway) < failures + 2) await sleep(20);
    // What must be read is refused for the time being, in words for the caller.
    const refused = await gateway.get('/v1/responses/resp_1');
    assert.equal(refused.status, 503);
    assert.match(await refused.text(), /database does not answer; try again/);
    refusals.push(refused.headers.get('x-request-id') ?? '');
    await running().start();
    // The pauses of the ledger grow as long as it fails: the next outage is one of its own.
    const stored = (await readIds(url)).length;
    while ((await readIds(url)).length === stored) await sleep(20);
  }
  done = true;
  const ids = (await Promise.all(clients)).flat();
  assert.doesNotMatch(gateway.logs(), /s3cret/);
  await checkLedger(gateway, url, [...ids, ...refusals]);
});

test('a PostgreSQL that hangs holds up no call', { skip }, async () => {
  const url = await makeDatabase();
  const wire = await startSlowWire(Number(url.port));
  const through = new URL(url);
  through.port = String(wire.port);
  through.searchParams.set('query_timeout', '400');
  const gateway = await startOn(through.href);
  closing.push(wire.close);
  let done = false;
  const clients = Array.from({ length: 4 }, () => callUntil(gateway, () => done));
  await gateway.calls(1);
  wire.set('frozen');
  // The ledger does not wait for ever, and tells.
  while (countFailures(gateway) === 0) await sleep(20);
  assert.equal((await gateway.get('/readyz')).status, 200, 'calls go on, so it may take traffic');
  wire.set('open');
  done = true;
  await checkLedger(gateway, url, (await Promise.all(clients)).flat());
});

test('a commit whose confirmation is lost is not made twice', { skip }, async () => {
  const url = await makeDatabase();
  const wire = await startSlowWire(Number(url.port));
  closing.push(wire.close);
  const through = new URL(url);
  through.port = String(wire.port);
  const store = await openStore(through.href);
  await store.insertCalls([toCallRow(makeRecord())]);
  const rows = [toCallRow(makeRecord()), toCallRow(makeRecord())];
  wire.set('muted');
  const lost = assert.rejects(store.insertCalls(rows));
  while ((await readIds(url)).length < 3) await sleep(10);
  wire.cut();
  await lost;
  wire.set('open');
  await store.insertCalls([...rows, toCallRow(makeRecord())]);
  assert.equal((await readIds(url)).length, 4);
  const [sum] = await sumUsage(store, { groupBy: [] });
  assert.deepEqual([sum?.calls, sum?.tokens.input], [4, 400]);
  await store.close();
});
