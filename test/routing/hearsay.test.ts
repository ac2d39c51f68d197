import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { LONGEST_TOLD_MS, readMessage } from '../../src/routing/health-word.ts';
import { MOST_HEARD } from '../../src/routing/hearsay.ts';
import { LaneBook } from '../../src/routing/lane-book.ts';
import type { Verdict } from '../../src/routing/verdict.ts';

const TARGETS = ['a/x', 'a/y', 'b/x'];
const ACCOUNTS = ['main', 'other'];

/** Both providers are in the configuration, all accounts with the same credential. */
function follow(book: LaneBook): void {
  const accounts = ACCOUNTS.map((name) => ({ name, mark: 'k' }));
  book.follow({ upstreams: ['a', 'b'].map((name) => ({ name, accounts })), lanes: [] });
}

function findAll(book: LaneBook) {
  return TARGETS.flatMap((target) =>
    ACCOUNTS.map((account) =>
      book.find(target, { provider: target.slice(0, 1), account, options: DEFAULT_BREAKER }),
    ),
  );
}

const LIMITED: Verdict = { next: 'account', again: true, says: 'limited' };
const SPENT: Verdict = { next: 'account', again: false, says: 'spent' };
const REFUSED: Verdict = { next: 'target', again: true, says: 'failing', unreachable: true };

/** Messages as they may come, most of them right. */
const MESSAGE = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        by: fc.constantFrom('one', 'two'),
        scope: fc.constantFrom('lane', 'account', 'credit'),
        what: fc.constantFrom('open', 'closed', 'cooling', 'spent', 'paid'),
        mark: fc.constantFrom('k', 'other'),
        name: fc.constantFrom(...TARGETS, 'a', 'b', 'c/unknown'),
        account: fc.constantFrom(...ACCOUNTS),
        forMs: fc.oneof(fc.integer({ min: 0, max: 5_000 }), fc.constant(LONGEST_TOLD_MS)),
      })
      .map((message) => JSON.stringify(message)),
  },
  { weight: 1, arbitrary: fc.json() },
  {
    weight: 1,
    arbitrary: fc
      .record({
        by: fc.string(),
        scope: fc.constant('lane'),
        what: fc.constantFrom('open', 'cooling', 'other'),
        name: fc.constantFrom('a/x', '', 'x'.repeat(301)),
        account: fc.constant('main'),
        forMs: fc.oneof(fc.double(), fc.maxSafeInteger(), fc.constant('1')),
      })
      .map((message) => JSON.stringify(message)),
  },
);

const STEP = fc.record({
  afterMs: fc.integer({ min: 0, max: 2_000 }),
  message: MESSAGE,
  own: fc.constantFrom('nothing', 'fail', 'limit', 'spend', 'succeed', 'begin'),
  lane: fc.nat({ max: TARGETS.length * ACCOUNTS.length - 1 }),
});

test('whatever others say: nobody is told of it, named times only grow, and every place can be tried in the end', () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 60 }), (steps) => {
      let told = 0;
      const tell = () => {
        told += 1;
      };
      let nowMs = 0;
      const book = new LaneBook({ monotonicMs: () => nowMs, onChange: tell, onCool: tell, onCredit: tell });
      follow(book);
      const lanes = findAll(book);
      for (const { afterMs, message, own, lane: index } of steps) {
        nowMs += afterMs;
        const before = { told, coolsUntil: lanes.map(({ coolsUntil }) => coolsUntil) };
        const word = readMessage(message);
        if (word) book.hear(word, nowMs);
        assert.equal(told, before.told);
        for (const [place, lane] of lanes.entries()) {
          assert.ok(lane.coolsUntil >= (before.coolsUntil[place] ?? 0));
          assert.ok(lane.coolsUntil <= nowMs + LONGEST_TOLD_MS);
          const lastMs = Math.max(lane.limitedUntil, lane.breaker.opensUntil, lane.reach.opensUntil, nowMs);
          assert.ok(lastMs <= nowMs + LONGEST_TOLD_MS);
        }
        const lane = lanes[index];
        assert.ok(lane);
        const outcome = { nowMs, begunMs: nowMs };
        if (own === 'begin') lane.begin(nowMs);
        else if (own === 'succeed') lane.succeed(nowMs, nowMs);
        else if (own === 'fail') lane.fail(REFUSED, { ...outcome, retryAfterMs: undefined });
        else if (own === 'spend') lane.fail(SPENT, { ...outcome, retryAfterMs: undefined });
        else if (own === 'limit') lane.fail(LIMITED, { ...outcome, retryAfterMs: 1_000 });
      }
      assert.equal(book.readings(() => true).length, lanes.length);
      for (const lane of lanes) {
        lane.forget(nowMs, nowMs);
        const lastMs = Math.max(lane.limitedUntil, lane.breaker.opensUntil, lane.reach.opensUntil, nowMs);
        const ofCredit = lane.cooling(lastMs)?.forMs ?? 0;
        assert.ok(ofCredit <= 3_600_000);
        assert.equal(lane.readiness(lastMs + ofCredit), 'ready');
      }
    }),
  );
});

test('a place that is called for the first time is as if it had heard all that was said of it', () => {
  const said = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 2_000 }), message: MESSAGE }));
  fc.assert(
    fc.property(said, (steps) => {
      const [known, late] = [new LaneBook({ monotonicMs: () => 0 }), new LaneBook({ monotonicMs: () => 0 })];
      follow(known);
      follow(late);
      const lanes = findAll(known);
      let nowMs = 0;
      for (const { afterMs, message } of steps) {
        nowMs += afterMs;
        const word = readMessage(message);
        if (!word) continue;
        known.hear(word, nowMs);
        late.hear(word, nowMs);
      }
      for (const [place, lane] of findAll(late).entries()) {
        const other = lanes[place];
        for (const laterMs of [0, 500, 3_000, 6_000, LONGEST_TOLD_MS])
          assert.equal(lane.readiness(nowMs + laterMs), other?.readiness(nowMs + laterMs));
      }
    }),
  );
});

test('of places that nobody calls here only so many are remembered, the newest', () => {
  const book = new LaneBook({ monotonicMs: () => 0 });
  const last = 3 * MOST_HEARD;
  for (let count = 1; count <= last; count++) {
    const word = { scope: 'lane', name: `a/${count}`, account: 'main', forMs: 1_000 } as const;
    book.hear({ ...word, what: 'cooling' }, count);
    book.hear({ ...word, what: 'open' }, count);
  }
  assert.equal(book.heard, MOST_HEARD);
  const place = { provider: 'a', account: 'main', options: DEFAULT_BREAKER };
  assert.equal(book.find(`a/${last}`, place).readiness(last), 'cooling');
  assert.equal(book.find('a/1', place).readiness(1), 'ready');
});
