import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { Itinerary } from '../../src/routing/itinerary.ts';
import { LaneBook } from '../../src/routing/lane-book.ts';
import type { Stop } from '../../src/routing/stop.ts';
import { verdictOf } from '../../src/routing/verdict.ts';

const verdictFor = (code: string) => verdictOf(new GatewayError('upstream_unavailable', '', { code }));
const SPENT = verdictFor('upstream_payment_required');
const DOWN = verdictOf(new GatewayError('upstream_unavailable', ''));

const FIRST_REST_MS = 30_000;
const LONGEST_REST_MS = 600_000;

function makeBook() {
  const told: string[] = [];
  const clock = { nowMs: 0 };
  const book = new LaneBook({
    monotonicMs: () => clock.nowMs,
    onCredit: ({ provider, account, isSpent, isNews }) => {
      if (isNews) told.push(`${provider}@${account} ${isSpent ? 'spent' : 'paid'}`);
    },
  });
  const find = (target: string, account = 'main', options = DEFAULT_BREAKER) =>
    book.find(target, { provider: target.split('/')[0] ?? '', account, options });
  /** The account `a@main` has the credential with this mark; at another time than the beginning where one is said. */
  const follow = (mark: string, nowMs = 0) => {
    clock.nowMs = nowMs;
    book.follow({ upstreams: [{ name: 'a', accounts: [{ name: 'main', mark }] }], lanes: [] });
  };
  const hear = (what: 'spent' | 'paid', forMs: number, nowMs: number, mark = 'k1') =>
    book.hear({ scope: 'credit', what, name: 'a', account: 'main', mark, forMs }, nowMs);
  return { told, find, follow, hear };
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

test('an account that its provider shut is passed over for all of its models, whatever its credit, until a probe is answered', () => {
  const { find, follow } = makeBook();
  follow('k1');
  const [lane, other] = [find('a/x'), find('a/y')];
  lane.begin(0);
  lane.fail(verdictFor('upstream_account_shut'), failure(0));
  assert.deepEqual(other.cooling(1), { forMs: 29_999, reason: 'shut' });
  assert.equal(other.readiness(29_999), 'poor');
  assert.equal(other.readiness(30_000), 'ready');
  other.begin(30_000);
  assert.equal(lane.readiness(30_001), 'poor');
  other.succeed(30_010, 30_000);
  assert.equal(lane.readiness(30_011), 'ready');
  lane.fail(verdictFor('upstream_account_shut'), failure(40_000));
  follow('k2', 40_000);
  assert.equal(other.readiness(40_001), 'ready', 'another credential is not tried');
});

test('another credential of the account is tried at once, and that it is answered is told', () => {
  const { told, find, follow } = makeBook();
  follow('k1');
  const lane = find('a/x');
  lane.fail(SPENT, failure(0));
  follow('k1', 1);
  assert.equal(lane.readiness(1), 'poor', 'it is the same credential');
  follow('k2', 2);
  assert.equal(lane.readiness(2), 'ready');
  assert.deepEqual(told, ['a@main spent'], 'nothing is known of it yet');
  lane.fail(SPENT, { nowMs: 5, begunMs: 1, retryAfterMs: undefined });
  assert.equal(lane.readiness(5), 'ready', 'that was about the credential before');
  lane.succeed(10, 6);
  assert.deepEqual(told, ['a@main spent', 'a@main paid']);
});

test('another credential that is out of credit, too, is news, and others go first for no longer than at the beginning', () => {
  const { told, find, follow } = makeBook();
  follow('k1');
  const lane = find('a/x');
  lane.fail(SPENT, failure(0));
  lane.begin(FIRST_REST_MS);
  lane.fail(SPENT, failure(FIRST_REST_MS));
  follow('k2', 40_000);
  lane.fail(SPENT, failure(50_000));
  assert.deepEqual(
    [lane.readiness(50_000 + FIRST_REST_MS - 1), lane.readiness(50_000 + FIRST_REST_MS)],
    ['poor', 'ready'],
  );
  assert.deepEqual(told, ['a@main spent', 'a@main spent']);
});

test('what another instance found out is heard, and told to nobody', () => {
  const { told, find, follow, hear } = makeBook();
  follow('k1');
  const lane = find('a/x');
  hear('spent', 60_000, 0);
  assert.deepEqual([lane.readiness(59_999), lane.readiness(60_000)], ['poor', 'ready']);
  lane.begin(60_000);
  lane.fail(SPENT, failure(60_000));
  assert.deepEqual([lane.readiness(179_999), lane.readiness(180_000)], ['poor', 'ready']);
  hear('paid', 0, 100_000);
  assert.equal(lane.readiness(100_000), 'ready');
  assert.deepEqual(told, [], 'it was known from the other');
});

test('who finds an account paid that another found out of credit tells of it', () => {
  const { told, find, follow, hear } = makeBook();
  follow('k1');
  const lane = find('a/x');
  hear('spent', 60_000, 0);
  lane.succeed(10, 5);
  assert.equal(lane.readiness(10), 'ready');
  assert.deepEqual(told, ['a@main paid']);
});

test('what others say of another credential than the account has here says nothing', () => {
  const { find, follow, hear } = makeBook();
  follow('k2');
  const lane = find('a/x');
  hear('spent', 60_000, 0, 'k1');
  assert.equal(lane.readiness(1), 'ready');
  lane.fail(SPENT, failure(2));
  hear('paid', 0, 3, 'k1');
  assert.equal(lane.readiness(3), 'poor');
});
