import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { parseConfig } from '../../src/config/load.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { countPassThrough } from '../../src/dialects/messages/pass-through.ts';
import { Call } from '../../src/gateway/call.ts';
import { compileSnapshot } from '../../src/gateway/compile-snapshot.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { handleCall } from '../../src/gateway/handle-call.ts';
import { RANKS } from '../../src/overload/bounds.ts';
import { Places } from '../../src/overload/places.ts';
import { Holder } from '../../src/overload/share.ts';
import { CounterBook } from '../../src/quotas/counters.ts';
import { LocalQuotas } from '../../src/quotas/local-quotas.ts';
import { RolloutBook } from '../../src/rollouts/rollout-book.ts';
import { HedgingBook } from '../../src/routing/hedging.ts';
import { LaneBook } from '../../src/routing/lane-book.ts';
import { Connections } from '../../src/upstream/connections.ts';
import { Deadlines } from '../../src/upstream/deadlines.ts';
import { loadDeclarations } from '../../src/upstream/load-declarations.ts';
import { InFlight } from '../../src/usage/in-flight.ts';
import type { Waiting } from '../../src/usage/journal.ts';
import { PriceBook } from '../../src/usage/prices.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { NO_SIGN_IN } from '../support/sign-in.ts';

const declarations = await loadDeclarations();
const config = parseConfig('{}', 'test.yaml', { env: {}, knownProviders: declarations });
const snapshot = compileSnapshot({
  config,
  declarations,
  madeKeys: [],
  signIn: NO_SIGN_IN,
  counters: new CounterBook(),
  lanes: new LaneBook({ monotonicMs: () => 0 }),
  hedgings: new HedgingBook(),
  rollouts: new RolloutBook(),
});
const monotonicMs = () => performance.now();
const connections = new Connections({ now: Date.now, monotonicMs, deadlines: new Deadlines(monotonicMs) });
const records: UsageRecord[] = [];
const log = {
  info: () => {},
  warn: () => {},
  error: (fields: object) => assert.fail(JSON.stringify(fields)),
};

/** A server that has every request counted by this counter. */
async function countBy(
  countConversation: Gateway['tokens']['countConversation'],
  body: object,
): Promise<Response> {
  const server = createServer((_request, response: ServerResponse) => {
    const call = new Call({
      id: 'req_1',
      startedAt: 0,
      startedMs: 0,
      door: { dialect: messages, operation: 'count', passThrough: countPassThrough },
      snapshot,
      caller: {
        tenant: 't',
        key: 'k',
        mayCall: () => true,
        mayPrompt: () => true,
        limits: undefined,
        holder: new Holder(),
        rank: RANKS.normal,
      },
      body: Buffer.from(JSON.stringify(body)),
      response,
    });
    const gateway = {
      snapshot,
      credentials: { rejected: () => undefined, accepted: () => undefined, proven: () => undefined },
      connections,
      ledger: {
        append: (record: UsageRecord) => records.push(record),
        noteStart: () => assert.fail('no provider is asked'),
        wait: (waiting: Waiting) => waiting.proceed(),
      },
      log,
      calls: new InFlight<Call>(),
      objects: {
        find: nothingKept,
        list: nothingKept,
        ofAll: nothingKept,
        bind: nothingKept,
        forget: nothingKept,
      },
      batches: { note: nothingKept },
      uploads: {
        spool: {
          open: () => {
            throw new Error('nothing is uploaded');
          },
        },
        maxBytes: 0,
      },
      tokens: {
        countConversation,
        countTexts: () => assert.fail('nothing is embedded'),
        boundConversation: () => assert.fail('a count reserves nothing'),
      },
      places: new Places({
        bounds: snapshot.bounds,
        deadlines: new Deadlines(() => 0),
        monotonicMs: () => 0,
        random: () => 0,
        tell: () => undefined,
      }),
      quotas: new LocalQuotas(new CounterBook(), () => 0),
      prices: new PriceBook(),
      structures: { fit: () => assert.fail('a count is not judged') },
      captures: { keep: () => assert.fail('nothing is kept of a count') },
      shadows: { take: () => undefined },
      prompts: {
        admit: () => assert.fail('there are no prompts here'),
        ask: () => assert.fail('there are no prompts here'),
      },
      lateCounts: { plan: () => assert.fail('a count is not counted again') },
      gone: { isAny: false, note: () => assert.fail(), answered: () => assert.fail() },
      responses: {
        keep: () => assert.fail('a count is not kept'),
        find: () => assert.fail('a count goes on from nothing'),
        remove: () => assert.fail('a count is not kept'),
      },
      now: () => 0,
      monotonicMs: () => 0,
      deadlines: new Deadlines(() => 0),
      random: Math.random,
    };
    handleCall(gateway, call);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => server.close());
  return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

function nothingKept(): never {
  throw new Error('no provider keeps anything');
}

const QUESTION = { model: 'echo/echo', messages: [{ role: 'user', content: 'one two' }] };

test('the gateway’s counter is asked for models whose provider cannot count', async () => {
  const response = await countBy((conversation, model) => {
    assert.deepEqual(conversation.messages, [{ role: 'user', parts: [{ type: 'text', text: 'one two' }] }]);
    assert.equal(model, 'echo');
    return Promise.resolve(42);
  }, QUESTION);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { input_tokens: 42 });
  const record = records.at(-1);
  assert.deepEqual(
    [record?.operation, record?.outcome, record?.usage, record?.costMicroUsd, record?.attempts],
    ['count', 'ok', null, 0, []],
  );
  assert.equal(record?.target, 'echo/echo');
});

test('what cannot be read is refused before it is counted', async () => {
  const response = await countBy(() => assert.fail('not to be asked'), { model: 'echo/echo', messages: 7 });
  assert.equal(response.status, 400);
});
