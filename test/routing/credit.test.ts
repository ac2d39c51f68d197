import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { Itinerary, type Stop } from '../../src/routing/itinerary.ts';
import { LaneBook } from '../../src/routing/lane.ts';
import { verdictOf } from '../../src/routing/verdict.ts';

const verdictFor = (code: string) => verdictOf(new GatewayError('upstream_unavailable', '', { code }));
const SPENT = verdictFor('upstream_payment_required');
const DOWN = verdictOf(new GatewayError('upstream_unavailable', ''));

const FIRST_REST_MS = 30_000;
const LONGEST_REST_MS = 600_000;

function makeBook() {
  const told: string[] = [];
  const book = new LaneBook({
    monotonicMs: () => 0,
    onCredit: ({ provider, account, isSpent }) =>
      told.push(`${provider}@${account} ${isSpent ? 'spent' : 'paid'}`),
  });
  const find = (target: string, account = 'main', options = DEFAULT_BREAKER) =>
    book.find(target, { provider: target.split('/')[0] ?? '', account, options });
  return { told, find };
}

const failure = (nowMs: number, retryAfterMs?: number) => ({ nowMs, begunMs: nowMs, retryAfterMs });

test('an account that is out of credit is passed over, whatever model is called, and told of once', () => {
  const { told, find } = makeBook();
  const [lane, sibling, other] = [find('a/x'), find('a/y'), find('a/x', 'second')];
  lane.begin(0);
  lane.fail(SPENT, failure(0));
  lane.fail(SPENT, failure(1));
  assert.deepEqual([lane.readiness(1), sibling.readiness(1), other.readiness(1)], ['poor', 'poor', 'ready']);
  assert.deepEqual(told, ['a@main spent']);
});

test('others go first for longer each time that a probe finds it out of credit still', () => {
  const { find } = makeBook();
  const lane = find('a/x');
  lane.fail(SPENT, failure(0));
  let nowMs = 0;
  const rests: number[] = [];
  for (let probe = 0; probe < 7; probe++) {
    const begunMs = nowMs;
    while (lane.readiness(nowMs) === 'poor') nowMs += 1_000;
    rests.push(nowMs - begunMs);
    lane.begin(nowMs);
    assert.equal(lane.readiness(nowMs), 'poor', 'a second call beside the probe');
    lane.fail(SPENT, failure(nowMs));
  }
  assert.deepEqual(
    rests,
    [30, 60, 120, 240, 480, 600, 600].map((seconds) => seconds * 1_000),
  );
  assert.equal(rests.at(-1), LONGEST_REST_MS);
});

test('calls that have no other place do not put the probe off', () => {
  const { find } = makeBook();
  const lane = find('a/x');
  for (let nowMs = 0; nowMs < FIRST_REST_MS; nowMs += 1_000) {
    lane.begin(nowMs);
    lane.fail(SPENT, failure(nowMs));
  }
  assert.equal(lane.readiness(FIRST_REST_MS), 'ready');
});

test('a longer time that the provider names counts in place of ours, up to an hour', () => {
  const { find } = makeBook();
  const lane = find('a/x');
  lane.fail(SPENT, failure(0, 90_000));
  assert.deepEqual([lane.readiness(89_999), lane.readiness(90_000)], ['poor', 'ready']);
  const short = find('c/x');
  short.fail(SPENT, failure(0, 0));
  assert.deepEqual([short.readiness(FIRST_REST_MS - 1), short.readiness(FIRST_REST_MS)], ['poor', 'ready']);
  const other = find('b/x');
  other.fail(SPENT, failure(0, 30 * 24 * 3_600_000));
  assert.deepEqual([other.readiness(3_599_999), other.readiness(3_600_000)], ['poor', 'ready']);
});

test('a success ends it, but not one that was under way before', () => {
  const { told, find } = makeBook();
  const [lane, sibling] = [find('a/x'), find('a/y')];
  lane.fail(SPENT, failure(100));
  sibling.succeed(150, 50);
  assert.equal(lane.readiness(150), 'poor');
  sibling.succeed(300, 200);
  assert.equal(lane.readiness(300), 'ready');
  assert.deepEqual(told, ['a@main spent', 'a@main paid']);
});

test('a probe that says nothing of the credit leaves it to the next call', () => {
  for (const end of ['forgotten', 'failed'] as const) {
    const { find } = makeBook();
    const lane = find('a/x');
    lane.fail(SPENT, failure(0));
    lane.begin(FIRST_REST_MS);
    if (end === 'forgotten') lane.forget(FIRST_REST_MS + 5, FIRST_REST_MS);
    else lane.fail(DOWN, failure(FIRST_REST_MS + 5));
    assert.equal(lane.readiness(FIRST_REST_MS + 5), 'ready', end);
  }
});

test('it goes on through a change of the options of the breaker', () => {
  const { find } = makeBook();
  find('a/x').fail(SPENT, failure(0));
  const after = find('a/x', 'main', { ...DEFAULT_BREAKER, minCalls: 99 });
  assert.equal(after.readiness(1), 'poor');
});

test('it says nothing of the breaker, and is tried where nothing else is left', () => {
  const { find } = makeBook();
  const lane = find('a/x');
  for (let call = 0; call < 10; call++) lane.fail(SPENT, failure(call));
  assert.equal(lane.breaker.state, 'closed');
  const stop: Stop = { target: { name: 'a/x' }, lane };
  const itinerary = new Itinerary([stop], { retries: 2, random: () => 0, mayTry: () => true });
  assert.equal(itinerary.next(10)?.stop, stop);
  itinerary.failed(stop, SPENT);
  assert.equal(itinerary.next(10), undefined);
});

test('what an account is not permitted to do says nothing of its credit', () => {
  const { find } = makeBook();
  const lane = find('a/x');
  lane.fail(verdictFor('upstream_permission_denied'), failure(0));
  assert.equal(lane.readiness(1), 'ready');
});
