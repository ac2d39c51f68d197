import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import type { Lane } from '../../src/routing/lane.ts';
import { LaneBook, MOST_LANES } from '../../src/routing/lane-book.ts';
import type { Verdict } from '../../src/routing/verdict.ts';

const LIMITED: Verdict = { next: 'account', again: true, says: 'limited' };
const FAILING: Verdict = { next: 'target', again: true, says: 'failing' };

const PLACE = { provider: 'a', account: 'main', options: DEFAULT_BREAKER };
const OTHERWISE = { ...PLACE, options: { ...DEFAULT_BREAKER, minCalls: 99 } };

function makeBook() {
  const clock = { nowMs: 0 };
  return { clock, book: new LaneBook({ monotonicMs: () => clock.nowMs }) };
}

const told = (retryAfterMs: number | undefined) => ({ nowMs: 0, begunMs: 0, retryAfterMs });

test('a lane whose breaker has other options keeps the time that its provider named, and nothing else', () => {
  const { book } = makeBook();
  const before = book.find('a/x', PLACE);
  before.fail(LIMITED, told(60_000));
  for (let failure = 0; failure < 5; failure++) before.fail(FAILING, told(undefined));
  const after = book.find('a/x', OTHERWISE);
  assert.notEqual(after, before);
  assert.deepEqual([after.readiness(59_999), after.breaker.state], ['cooling', 'closed']);
  assert.equal(after.readiness(60_000), 'ready');
});

test('what a call of the configuration before is told holds for the lane after it, and the other way round', () => {
  const { book } = makeBook();
  const before = book.find('a/x', PLACE);
  const after = book.find('a/x', OTHERWISE);
  before.fail(LIMITED, told(10_000));
  assert.equal(after.readiness(9_999), 'cooling');
  after.fail(LIMITED, told(20_000));
  assert.equal(before.readiness(19_999), 'cooling');
});

test('a limit without a time goes on, too', () => {
  const { book } = makeBook();
  book.find('a/x', PLACE).fail(LIMITED, told(undefined));
  assert.equal(book.find('a/x', OTHERWISE).readiness(499), 'poor');
});

test('however many targets callers name, none is forgotten that its provider wants to be left alone', () => {
  const { book, clock } = makeBook();
  const cooling = book.find('a/cools', PLACE);
  const limited = book.find('a/limited', PLACE);
  const past = book.find('a/past', PLACE);
  cooling.fail(LIMITED, told(60_000));
  limited.fail(LIMITED, told(undefined));
  past.fail(LIMITED, told(10));
  clock.nowMs = 100;
  for (let nth = 0; nth < MOST_LANES; nth++) book.find(`a/${nth}`, PLACE);
  assert.equal(book.find('a/cools', PLACE), cooling);
  assert.equal(book.find('a/limited', PLACE), limited);
  assert.notEqual(book.find('a/past', PLACE), past, 'its time is over: it is as any other');
});

test('what callers go on naming is not forgotten for what they name once', () => {
  const { book } = makeBook();
  const often = book.find('a/often', PLACE);
  for (let nth = 0; nth < 2 * MOST_LANES; nth++) {
    book.find(`a/${nth}`, PLACE);
    if (nth % 1_000 === 0) assert.equal(book.find('a/often', PLACE), often);
  }
});

test('lanes of configured targets are not forgotten for those that callers name, which are bounded', () => {
  const { book } = makeBook();
  const lane = book.find('a/x', { ...PLACE, isConfigured: true });
  for (let nth = 0; nth < 3 * MOST_LANES; nth++) book.find(`a/${nth}`, PLACE);
  assert.equal(book.find('a/x', { ...PLACE, isConfigured: true }), lane);
  assert.equal(book.readings((target) => target === 'a/x').length, 1);
  const named = book.readings((target) => target !== 'a/x').length;
  assert.ok(named <= MOST_LANES, `${named}`);
});

test('where all that callers named are limited, all are remembered until their times are over', () => {
  const { book, clock } = makeBook();
  const count = 2 * MOST_LANES;
  for (let nth = 0; nth < count; nth++) book.find(`a/${nth}`, PLACE).fail(LIMITED, told(1_000));
  assert.equal(book.readings(() => true).length, count);
  clock.nowMs = 1_000;
  for (let nth = 0; nth < 2 * count; nth++) book.find(`b/${nth}`, PLACE);
  assert.ok(book.readings(() => true).length <= 2 * count);
});

test('a lane that is open is not hidden by its account, which is being probed, nor the other way round', () => {
  const { book } = makeBook();
  const [lane, other] = [book.find('a/x', PLACE), book.find('a/y', PLACE)];
  const stateOf = (target: string) => book.readings((name) => name === target)[0]?.state;
  for (let failure = 0; failure < 5; failure++) lane.fail({ ...FAILING, unreachable: true }, told(undefined));
  assert.deepEqual([stateOf('a/x'), stateOf('a/y')], ['open', 'open']);
  other.begin(2_000);
  assert.deepEqual([lane.reach.state, stateOf('a/x'), stateOf('a/y')], ['half-open', 'open', 'half-open']);
  other.succeed(2_100, 2_000);
  assert.deepEqual([stateOf('a/x'), stateOf('a/y')], ['open', 'closed']);
});

/** What is in force: one provider with these accounts, and the lanes that models lead to. */
const inForce = (accounts: string[], lanes: Lane[] = []) => ({
  upstreams: [{ name: 'a', accounts: accounts.map((name) => ({ name, mark: 'first' })) }],
  lanes,
});

test('lanes of accounts that are gone from the configuration are forgotten, also those that callers named', () => {
  const { book } = makeBook();
  for (let nth = 0; nth < 1_000; nth++) {
    const account = `key-${nth}`;
    const place = { ...PLACE, account };
    const lane = book.find('a/x', { ...place, isConfigured: true });
    book.find('a/named', place);
    lane.fail(FAILING, told(undefined));
    book.follow(inForce([account], [lane]));
    assert.equal(book.find('a/x', { ...place, isConfigured: true }), lane);
  }
  assert.deepEqual(
    book.readings(() => true).map(({ target, account }) => `${target} ${account}`),
    ['a/named key-999', 'a/x key-999'],
  );
});

test('a lane whose account is gone is kept while its provider wants it to be left alone, should the account come back', () => {
  const { book, clock } = makeBook();
  const gone = { ...PLACE, account: 'gone' };
  book.find('a/x', gone).fail(LIMITED, told(60_000));
  const main = book.find('a/x', { ...PLACE, isConfigured: true });
  book.follow(inForce(['main'], [main]));
  assert.equal(book.find('a/x', gone).readiness(59_999), 'cooling');
  clock.nowMs = 60_000;
  book.follow(inForce(['main'], [main]));
  assert.equal(book.readings(() => true).length, 1);
});

test('a target that no model leads to any more is as one that a caller named', () => {
  const { book } = makeBook();
  const [before, main] = ['a/before', 'a/x'].map((name) => book.find(name, { ...PLACE, isConfigured: true }));
  assert.ok(before && main);
  book.follow(inForce(['main'], [main]));
  for (let nth = 0; nth < 3 * MOST_LANES; nth++) book.find(`a/${nth}`, PLACE);
  assert.equal(book.find('a/x', PLACE), main);
  assert.notEqual(book.find('a/before', PLACE), before);
});
