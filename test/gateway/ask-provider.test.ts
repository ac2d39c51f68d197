import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parseConfig } from '../../src/config/load.ts';
import type { GatewayError } from '../../src/conversation/gateway-error.ts';
import { askProvider } from '../../src/gateway/ask-provider.ts';
import { compileSnapshot } from '../../src/gateway/compile-snapshot.ts';
import { laneOfKept, targetAt } from '../../src/gateway/plan-object.ts';
import { CounterBook } from '../../src/quotas/counters.ts';
import { RolloutBook } from '../../src/rollouts/rollout-book.ts';
import { HedgingBook } from '../../src/routing/hedging.ts';
import { LaneBook } from '../../src/routing/lane-book.ts';
import { Connections } from '../../src/upstream/connections.ts';
import { Deadlines } from '../../src/upstream/deadlines.ts';
import { loadDeclarations } from '../../src/upstream/load-declarations.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { NO_SIGN_IN } from '../support/sign-in.ts';

const declarations = await loadDeclarations();

/** Asks a provider that answers as the test says. */
async function setUp(context: TestContext, answer: Parameters<typeof startRawUpstream>[0], timeouts = '{}') {
  const upstream = await startRawUpstream(answer);
  const accounts = '[{ name: main, apiKey: sk-of-the-account-000 }]';
  const up = `{ adapter: openai-compatible, baseUrl: "${upstream.baseUrl}", accounts: ${accounts}, timeouts: ${timeouts} }`;
  const config = parseConfig(`providers: { up: ${up} }`, 'test.yaml', {
    env: {},
    knownProviders: declarations,
  });
  const { routes } = compileSnapshot({
    ...{ config, declarations, madeKeys: [], signIn: NO_SIGN_IN, counters: new CounterBook() },
    ...{
      lanes: new LaneBook({ monotonicMs: () => performance.now() }),
      hedgings: new HedgingBook(),
      rollouts: new RolloutBook(),
    },
  });
  const provider = routes.upstreams.get('up');
  const [account] = provider?.accounts ?? [];
  assert.ok(provider && account);
  const monotonicMs = () => performance.now();
  const deadlines = new Deadlines(monotonicMs);
  const connections = new Connections({ now: Date.now, monotonicMs, deadlines });
  context.after(async () => {
    await connections.close();
    await upstream.close();
  });
  const target = targetAt(provider, 'batch');
  const lane = laneOfKept(routes, provider, account, 'batch');
  const ask = async (take: (bytes: Buffer) => void) =>
    askProvider(
      { connections, deadlines, monotonicMs, now: Date.now },
      { target, account, lane },
      '/v1/batches/b',
      take,
    );
  const read = async () => {
    const chunks: Buffer[] = [];
    const status = await ask((bytes) => chunks.push(bytes));
    return { status, text: Buffer.concat(chunks).toString() };
  };
  return { upstream, ask, read };
}

const LONG = 'a line of the answer\n'.repeat(100_000);

test('an answer is read to its end with the credential of the account', async (context) => {
  const { upstream, read } = await setUp(context, (response) => response.end(LONG));
  assert.deepEqual(await read(), { status: 200, text: LONG });
  assert.equal(upstream.requests[0]?.path, '/v1/batches/b');
  assert.equal(upstream.requests[0]?.headers.authorization, 'Bearer sk-of-the-account-000');
});

test('an answer that is compressed is read like one that is not', async (context) => {
  const { read } = await setUp(context, (response) => {
    response.setHeader('content-encoding', 'gzip');
    response.end(gzipSync(LONG));
  });
  assert.deepEqual(await read(), { status: 200, text: LONG });
});

test('of a refusal only the status is told', async (context) => {
  const { read } = await setUp(context, (response) => {
    response.statusCode = 404;
    response.end('{"error":{"message":"no"}}');
  });
  assert.deepEqual(await read(), { status: 404, text: '' });
});

for (const status of [429, 503]) {
  test(`what names a time (${status}) is not asked again before`, async (context) => {
    const { upstream, read } = await setUp(context, (response) => {
      response.writeHead(status, { 'retry-after': '30' }).end('{"error":{"message":"not now"}}');
    });
    assert.equal((await read()).status, status);
    await assert.rejects(read, ({ retryAfterMs }: GatewayError) => Number(retryAfterMs) > 20_000);
    assert.equal(upstream.requests.length, 1);
  });
}

test('what cannot be taken ends the answer, and is thrown', async (context) => {
  const { ask } = await setUp(context, (response) => response.write(LONG));
  const reason = new Error('too much');
  await assert.rejects(
    ask(() => {
      throw reason;
    }),
    reason,
  );
});

for (const [what, answer, kind] of [
  ['breaks off', (response) => response.write(LONG, () => response.destroy()), 'upstream_unavailable'],
  ['never answers', () => undefined, 'upstream_timeout'],
  ['never ends', (response) => response.write('{'), 'upstream_timeout'],
  [
    'is compressed and broken',
    (response) => {
      response.setHeader('content-encoding', 'gzip');
      response.end('no gzip');
    },
    undefined,
  ],
] as const satisfies [string, Parameters<typeof startRawUpstream>[0], string | undefined][]) {
  test(`an answer that ${what} is an error`, async (context) => {
    const { read } = await setUp(context, answer, '{ total: 300ms }');
    await assert.rejects(read(), kind === undefined ? Error : { kind });
  });
}
