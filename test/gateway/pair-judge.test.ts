import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerTap } from '../../src/captures/capture.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { passThrough } from '../../src/dialects/chat/pass-through.ts';
import { OwnCalls } from '../../src/gateway/own-calls.ts';
import { PairJudge } from '../../src/gateway/pair-judge.ts';
import { RolloutBook } from '../../src/rollouts/rollout-book.ts';
import { chatAnswer } from '../support/raw-upstream.ts';
import { VirtualGateway } from '../support/virtual-gateway.ts';

const DOOR = { dialect: chat, operation: 'generate', passThrough } as const;

const rollout = new RolloutBook().find({
  ...{ name: 'upgrade', moves: { model: 'smart' }, cohort: {}, gates: { judge: { prompt: 'pair' } } },
  ...{ stable: { target: 'up/old' }, candidate: { target: 'up/new' }, approval: 'none', terms: 't' },
  ...{ plan: { steps: [{ weight: 50, holdMs: 600_000 }], onFail: 'rollback', minCalls: 50 }, release: 'r' },
});

function told(text: string) {
  const tap = new AnswerTap();
  tap.push(chatAnswer(text));
  return { door: DOOR, tap, stream: false };
}

test('a judge whose prompt cannot be had, because the store is away, is not asked, and the log says why', async () => {
  const world = new VirtualGateway({ tenants: {} });
  const logged: object[] = [];
  const note = (fields: object): void => void logged.push(fields);
  const away = new Error('the store is away');
  const gateway = () => ({
    ...world.gateway,
    log: { info: note, warn: note, error: note },
    prompts: { admit: world.gateway.prompts.admit, ask: () => Promise.reject(away) },
  });
  const own = new OwnCalls({ gateway, makeId: () => 'req_judge' });
  const judge = new PairJudge({ gateway, own, random: () => 0.5 });
  const body = Buffer.from(JSON.stringify({ model: 'smart', messages: [{ role: 'user', content: 'Hi' }] }));
  const request = { door: DOOR, body, address: undefined, regions: undefined };
  const pair = { request, stable: told('one'), candidate: told('other') };
  // More than may be at once: a failure leaves its place.
  for (let nth = 0; nth < 6; nth += 1) assert.equal(await judge.judge(rollout, pair, true), undefined);
  assert.deepEqual(
    logged.map((fields) => ('err' in fields ? fields.err : undefined)),
    Array.from({ length: 6 }, () => away),
  );
});
