import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { passThrough } from '../../src/dialects/chat/pass-through.ts';
import { Call } from '../../src/gateway/call.ts';
import { OwnCalls } from '../../src/gateway/own-calls.ts';
import { PairJudge } from '../../src/gateway/pair-judge.ts';
import type { CopiedPrompt } from '../../src/gateway/prompt-side.ts';
import { Shadows } from '../../src/gateway/shadows.ts';
import { SHADOW_STEP } from '../../src/rollouts/progress.ts';
import { RolloutBook } from '../../src/rollouts/rollout-book.ts';
import { VirtualGateway } from '../support/virtual-gateway.ts';

const KEY = 'sk-fl-key-of-copies-000000000000';
const DOOR = { dialect: chat, operation: 'generate', passThrough } as const;
const MOST_BYTES = 16 * 1024 * 1024;

/** A prompt's rollout that copies every call; what the candidate's version makes of one is the test's. */
function setUp({ maxConcurrentCalls = 10 } = {}) {
  const world = new VirtualGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: 'http://up.test/v1' } },
    models: { m: { targets: ['up/m'], retries: 0 } },
    tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: KEY }] } },
  });
  const logged: unknown[] = [];
  const note = (fields: object, message: string): void => void logged.push([fields, message]);
  const log = { info: note, warn: note, error: note };
  const gateway = () => ({ ...world.gateway, log });
  const book = new RolloutBook();
  const rollout = book.find({
    ...{ name: 'reworded', moves: { prompt: 'hello', label: 'production' }, cohort: {}, gates: {} },
    ...{ stable: { version: 'hello@1' }, candidate: { version: 'hello@2' }, approval: 'none', terms: 't' },
    plan: {
      steps: [{ weight: 50, holdMs: 600_000 }],
      onFail: 'rollback',
      minCalls: 50,
      shadow: { holdMs: 0 },
    },
    ...{ shadow: { share: 1, maxConcurrentCalls }, release: 'r' },
  });
  const progress = { phase: 'shadow', step: SHADOW_STEP, since: 0, heldMs: 0, callsBefore: 0 } as const;
  book.set('reworded', { release: 'r', progress });
  const own = new OwnCalls({ gateway, makeId: () => `req_copy_${world.exchanges.length}` });
  const random = () => 0.5;
  const judge = new PairJudge({ gateway, own, random });
  const shadows = new Shadows({ gateway, own, judge, random });
  const caller = world.gateway.snapshot.findCaller(KEY);
  assert.ok(caller);
  const makeBody = (size: number) =>
    Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x'.repeat(size) }] }));
  /** A call of the stable is over; `make`: the candidate's version begins on it. */
  const take = (size: number, make: (copied: CopiedPrompt) => Promise<CopiedPrompt>): void => {
    const response = new ServerResponse(new IncomingMessage(new Socket()));
    const { snapshot } = world.gateway;
    const body = makeBody(size);
    const call = new Call({
      id: 'req_1',
      startedAt: 0,
      startedMs: 0,
      door: DOOR,
      snapshot,
      caller,
      body,
      response,
    });
    call.attempts.push({ outcome: 'ok' } as (typeof call.attempts)[number]);
    const copied = { door: DOOR, body, caller, model: 'm', side: { rollout, isCopy: true } } as const;
    const candidate = () => make(copied);
    call.rollout = { name: 'reworded', side: 'stable', isWatched: true, ofPrompt: { rollout, candidate } };
    shadows.take(call);
  };
  return { world, logged, own, take, makeBody };
}

test('copies of a prompt’s calls are bounded from when the candidate’s version begins on them', async () => {
  const { world, take } = setUp({ maxConcurrentCalls: 2 });
  let made = 0;
  const ready = Promise.withResolvers<void>();
  const make = async (copied: CopiedPrompt) => {
    made += 1;
    await ready.promise;
    return copied;
  };
  for (let nth = 0; nth < 5; nth += 1) take(10, make);
  assert.equal(made, 2);
  ready.resolve();
  await setImmediate();
  assert.equal(world.exchanges.length, 2);
  take(10, make);
  assert.equal(made, 2, 'they are under way');
  for (const exchange of world.exchanges) exchange.lose();
  await setImmediate();
  take(10, make);
  await setImmediate();
  assert.deepEqual([made, world.exchanges.length], [3, 3]);
});

test('so are their bytes, and what the candidate’s version makes of them counts, too', async () => {
  const { world, take, makeBody } = setUp();
  let made = 0;
  const make = async (copied: CopiedPrompt) => {
    made += 1;
    return copied;
  };
  const half = Math.floor(MOST_BYTES * 0.4);
  for (let nth = 0; nth < 4; nth += 1) take(half, make);
  assert.equal(made, 2);
  await setImmediate();
  for (const exchange of world.exchanges) exchange.lose();
  await setImmediate();
  take(10, async (copied) => ({ ...(await make(copied)), body: makeBody(MOST_BYTES) }));
  await setImmediate();
  take(10, make);
  assert.equal(made, 3, 'the one that has grown takes all');
  assert.equal(world.exchanges.length, 3);
});

test('a copy that could not be made is told, and leaves its place', async () => {
  const { world, logged, take } = setUp({ maxConcurrentCalls: 1 });
  for (const thrown of [new GatewayError('overloaded', 'Too much.'), new TypeError('a bug')]) {
    take(10, () => Promise.reject(thrown));
    await setImmediate();
  }
  assert.equal(logged.length, 2, JSON.stringify(logged));
  take(10, async (copied) => copied);
  await setImmediate();
  assert.equal(world.exchanges.length, 1);
});

test('a stop while the candidate’s version begins on a call leaves nothing behind', async () => {
  const { world, logged, own, take } = setUp({ maxConcurrentCalls: 1 });
  const ready = Promise.withResolvers<void>();
  take(10, (copied) => ready.promise.then(() => copied));
  own.stop();
  ready.resolve();
  await setImmediate();
  assert.deepEqual([world.exchanges.length, logged.length], [0, 0]);
});
