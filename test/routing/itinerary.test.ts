import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { Breaker, DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { Itinerary } from '../../src/routing/itinerary.ts';
import { Lane } from '../../src/routing/lane.ts';
import { RetryBudget } from '../../src/routing/retry-budget.ts';
import type { Stop } from '../../src/routing/stop.ts';
import { type Verdict, verdictOf } from '../../src/routing/verdict.ts';

interface Place extends Stop {
  account: string;
  lane: Lane;
}

function place(target: string, account: string): Place {
  const [own, reach] = [new Breaker(DEFAULT_BREAKER), new Breaker(DEFAULT_BREAKER)];
  return { target: { name: target }, account, lane: new Lane(target, account, own, reach) };
}

const nameOf = (stop: Place | undefined) => stop && `${stop.target.name}@${stop.account}`;

function plan(places: Place[], retries = 7): Itinerary<Place> {
  return new Itinerary(places, { retries, random: () => 0.5, mayTry: () => true });
}

const DOWN = verdictOf(new GatewayError('upstream_unavailable', ''));
const LIMITED = verdictOf(new GatewayError('upstream_rate_limited', ''));
const REFUSED = verdictOf(new GatewayError('upstream_rejected', ''));
const HANGING: Verdict = verdictOf(
  new GatewayError('upstream_timeout', '', { cause: { code: 'FIRST_BYTE_TIMEOUT' } }),
);

test('every place is tried once, the other targets before other accounts of one that is down', () => {
  const places = [place('a/x', '1'), place('a/x', '2'), place('b/y', '1')];
  const itinerary = plan(places);
  const tried: (string | undefined)[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    const { stop, waitMs } = itinerary.next(0) ?? assert.fail('nothing comes next');
    tried.push(nameOf(stop));
    assert.equal(waitMs, 0);
    itinerary.failed(stop, DOWN);
  }
  assert.deepEqual(tried, ['a/x@1', 'b/y@1', 'a/x@2']);
});

test('of one that is limited the next account is tried first', () => {
  const itinerary = plan([place('a/x', '1'), place('a/x', '2'), place('b/y', '1')]);
  const first = itinerary.next(0)?.stop ?? assert.fail();
  itinerary.failed(first, LIMITED);
  assert.equal(nameOf(itinerary.next(0)?.stop), 'a/x@2');
});

/** Opens its breaker. */
function bringDown({ lane }: Place): void {
  while (lane.breaker.state === 'closed') lane.fail(DOWN, { nowMs: 0, begunMs: 0, retryAfterMs: undefined });
}

test('where a place may be back the last attempt is kept for one that does well', () => {
  const [a, b] = [place('a/x', '1'), place('b/y', '1')];
  for (const one of [a, b]) bringDown(one);
  const options = { retries: 1, random: () => 0.5, mayTry: () => true };
  const itinerary = new Itinerary([a, b], { ...options, recoveryMs: 5_000 });
  // Nobody has called it of late.
  const first = itinerary.next(0)?.stop ?? assert.fail();
  itinerary.failed(first, DOWN);
  assert.equal(itinerary.next(0), undefined);
  assert.equal(itinerary.recoveryPauseMs(), 375);
  assert.equal(itinerary.next(2_500), undefined, 'it would be a probe');
  const other = first === a ? b : a;
  other.lane.succeed(3_000, 2_900);
  assert.equal(itinerary.next(3_100)?.stop, other);

  const inVain = new Itinerary([a, b], { ...options, recoveryMs: 500 });
  for (const one of [a, b]) bringDown(one);
  inVain.failed(inVain.next(9_000)?.stop ?? assert.fail(), DOWN);
  assert.deepEqual([inVain.recoveryPauseMs(), inVain.recoveryPauseMs()], [375, 125]);
  assert.equal(inVain.recoveryPauseMs(), undefined);
  assert.ok(inVain.next(9_500), 'it goes where it would have gone at once');
});

test('a place with several servers is gone on at, which counts unless there was no connection', () => {
  const places = [place('a/x', '1'), place('b/y', '1')];
  const itinerary = plan(places, 2);
  const tried: (string | undefined)[] = [];
  for (const isFree of [true, true, false, false, false]) {
    const next = itinerary.next(0);
    tried.push(nameOf(next?.stop));
    if (next) itinerary.goOnAt(next.stop, isFree);
  }
  assert.deepEqual(tried, ['a/x@1', 'a/x@1', 'a/x@1', 'a/x@1', 'a/x@1']);
  assert.equal(itinerary.next(0), undefined);
});

test('a further server of a place is taken from its retry budget, unless there was no connection to the one before', () => {
  const pool = place('a/x', '1');
  const itinerary = plan([pool], 3);
  itinerary.next(0);
  while (pool.lane.retries.spend());
  assert.equal(itinerary.canSpare(pool, 0), false);
  itinerary.goOnAt(pool, true);
  assert.equal(itinerary.next(0)?.stop, pool);
  for (let call = 0; call < 5; call++) pool.lane.retries.earn();
  assert.equal(itinerary.canSpare(pool, 0), true);
  itinerary.goOnAt(pool, false);
  assert.equal(itinerary.canSpare(pool, 0), false);
});

test('further servers of a place leave an attempt for each other target that is ready', () => {
  const [pool, second, other, dead] = [
    place('a/x', '1'),
    place('a/x', '2'),
    place('b/y', '1'),
    deadPlace('c/z'),
  ];
  const itinerary = plan([pool, second, other, dead], 2);
  const stop = itinerary.next(1)?.stop ?? assert.fail();
  assert.equal(itinerary.canSpare(stop, 1), true);
  itinerary.goOnAt(stop, false);
  assert.equal(itinerary.next(1)?.stop, pool);
  assert.equal(itinerary.canSpare(stop, 1), false);
  itinerary.failed(stop, DOWN);
  assert.equal(itinerary.next(1)?.stop, other);
});

test('a refusal is final', () => {
  const itinerary = plan([place('a/x', '1'), place('b/y', '1')]);
  itinerary.failed(itinerary.next(0)?.stop ?? assert.fail(), REFUSED);
  assert.equal(itinerary.next(0), undefined);
});

test('what may pass is tried again after a pause that grows; what may still be at work is not', () => {
  const [down, hanging] = [place('a/x', '1'), place('b/y', '1')];
  const itinerary = plan([hanging, down], 3);
  itinerary.failed(itinerary.next(0)?.stop ?? assert.fail(), HANGING);
  itinerary.failed(itinerary.next(0)?.stop ?? assert.fail(), DOWN);
  const pauses: number[] = [];
  for (let next = itinerary.next(0); next; next = itinerary.next(0)) {
    assert.equal(next.stop, down);
    assert.ok(itinerary.arrive(next, 0));
    pauses.push(next.waitMs);
    itinerary.failed(next.stop, DOWN);
  }
  assert.deepEqual(pauses, [100, 200]);
});

test('one whose breaker is open is passed over, and tried where no other is there', () => {
  const [dead, well] = [place('a/x', '1'), place('b/y', '1')];
  for (let failure = 0; failure < 5; failure++)
    dead.lane.fail(DOWN, { nowMs: 0, begunMs: 0, retryAfterMs: undefined });
  assert.equal(nameOf(plan([dead, well]).next(0)?.stop), 'b/y@1');
  const alone = plan([dead]);
  assert.equal(alone.next(0)?.stop, dead);
  alone.failed(dead, DOWN);
  assert.equal(alone.next(0), undefined, 'what is known to be dead is not tried again');
});

/** One whose breaker was opened by its failures. */
function deadPlace(target: string, account = '1'): Place {
  const dead = place(target, account);
  for (let failure = 0; failure < 5; failure++)
    dead.lane.fail(DOWN, { nowMs: 0, begunMs: 0, retryAfterMs: undefined });
  return dead;
}

/** What a call tries where all that it tries is down. */
function tryAll(itinerary: Itinerary<Place>, nowMs: number): Place[] {
  const tried: Place[] = [];
  for (let next = itinerary.next(nowMs); next; next = itinerary.next(nowMs)) {
    tried.push(next.stop);
    next.stop.lane.fail(DOWN, { nowMs, begunMs: nowMs, retryAfterMs: undefined });
    itinerary.failed(next.stop, DOWN);
  }
  return tried;
}

test('where all breakers are open a call tries one place, in turns, and further ones, of other targets, only within the retry budgets', () => {
  const places = [deadPlace('a/x'), deadPlace('a/x', '2'), deadPlace('b/y'), deadPlace('c/z')];
  assert.deepEqual(tryAll(plan(places), 1).map(nameOf), ['a/x@1', 'b/y@1', 'c/z@1']);
  const counts = new Map(places.map((one) => [nameOf(one), 0]));
  const first = new Map(counts);
  for (let call = 0; call < 500; call++) {
    const tried = tryAll(plan(places), 2 + call).map(nameOf);
    assert.ok(tried.length >= 1 && tried.length <= 3);
    first.set(tried[0], (first.get(tried[0]) ?? 0) + 1);
    for (const name of tried) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  for (const [name, count] of counts) {
    const further = count - (first.get(name) ?? 0);
    assert.ok(further <= 0.2 * 500 + 10, `${further} further attempts at ${name} of 500 calls`);
    assert.ok((first.get(name) ?? 0) > 50, `${name} is never the one that is tried`);
  }
});

test('of places with open breakers the one is tried that answered last, if that is not long ago', () => {
  const [one, two, three] = [deadPlace('a/x'), place('b/y', '1'), deadPlace('c/z')];
  two.lane.begin(0);
  two.lane.succeed(0, 0);
  for (let failure = 0; failure < 5; failure++)
    two.lane.fail(DOWN, { nowMs: 0, begunMs: 0, retryAfterMs: undefined });
  assert.equal(plan([one, two, three]).next(1)?.stop, two);
  const later = plan([one, two, three]);
  for (const { lane } of [one, two, three]) lane.reach.open(2, 99_999);
  assert.equal(later.next(60_000)?.stop, one);
});

test('a place that answers now and then is tried by each call that fails elsewhere, one that is dead within its budget only', () => {
  const [flaky, dead, down] = [place('a/x', '1'), deadPlace('b/y'), place('c/z', '1')];
  for (const { lane } of [flaky, dead, down]) while (lane.retries.spend());
  assert.deepEqual(tryAll(plan([down, dead]), 1), [down]);
  flaky.lane.succeed(1, 0);
  for (let failure = 0; failure < 5; failure++)
    flaky.lane.fail(DOWN, { nowMs: 2, begunMs: 1, retryAfterMs: undefined });
  assert.deepEqual(tryAll(plan([down, dead, flaky]), 3), [down, flaky]);
});

test('a place that named a time is not called before it: a short one is waited for, a long one is told', () => {
  const limited = place('a/x', '1');
  limited.lane.fail(LIMITED, { nowMs: 0, begunMs: 0, retryAfterMs: 1_500 });
  const waiting = plan([limited]);
  const next = waiting.next(0) ?? assert.fail('it is not waited for');
  assert.ok(next.waitMs >= 1_500);
  limited.lane.cool(9_000, 'limited');
  assert.equal(waiting.arrive(next, next.waitMs), false, 'it was called though it had named a later time');
  const told = plan([limited]);
  assert.equal(told.next(0), undefined);
  assert.equal(told.coolsMs(0), 9_000);
});

test('a time that is named by mistake, or is a day away, counts as an hour, whoever heard it', () => {
  const [limited, heard] = [place('a/x', '1'), place('a/x', '2')];
  const dayMs = 24 * 3_600_000;
  limited.lane.fail(LIMITED, { nowMs: 500, begunMs: 0, retryAfterMs: dayMs });
  assert.equal(limited.lane.coolsUntil, 500 + 3_600_000);
  limited.lane.fail(DOWN, { nowMs: 900, begunMs: 0, retryAfterMs: dayMs });
  assert.equal(limited.lane.coolsUntil, 900 + 3_600_000);
  heard.lane.hearCooling(500, dayMs, 'limited');
  assert.equal(heard.lane.coolsUntil, 500 + 3_600_000);
  heard.lane.hearCooling(600, 3_600_000, 'limited');
  assert.equal(heard.lane.coolsUntil, 600 + 3_600_000);
});

test('a limit without a time lets others go first, and grows once for all that were under way', () => {
  const [limited, other] = [place('a/x', '1'), place('b/y', '1')];
  for (let call = 0; call < 100; call++)
    limited.lane.fail(LIMITED, { nowMs: 10, begunMs: 0, retryAfterMs: undefined });
  assert.equal(limited.lane.limitedUntil, 510);
  assert.equal(nameOf(plan([limited, other]).next(11)?.stop), 'b/y@1');
  assert.equal(limited.lane.readiness(510), 'ready');
});

test('repeats are at most a fifth of the calls beside a small reserve', () => {
  const budget = new RetryBudget();
  let repeats = 0;
  for (let call = 0; call < 1_000; call++) {
    budget.earn();
    while (budget.spend()) repeats += 1;
  }
  assert.ok(repeats <= 0.2 * 1_000 + 10, `${repeats} repeats of 1000 calls`);
  assert.ok(repeats >= 0.2 * 1_000 - 1);
});

const VERDICTS: fc.Arbitrary<Verdict> = fc.constantFrom(DOWN, LIMITED, HANGING, REFUSED);

test('whatever happens: no more attempts than allowed, none before a named time, none after a final failure', () => {
  const failures = fc.array(
    fc.record({
      verdict: VERDICTS,
      retryAfterMs: fc.option(fc.integer({ min: 1, max: 4_000 }), { nil: undefined }),
    }),
    { minLength: 12, maxLength: 12 },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 0, max: 7 }),
      failures,
      (count, retries, outcomes) => {
        const places = Array.from({ length: count }, (_, index) => place(`p/${index % 2}`, `${index}`));
        const itinerary = plan(places, retries);
        let [attempts, nowMs, isFinal] = [0, 0, false];
        for (let next = itinerary.next(nowMs); next; next = itinerary.next(nowMs)) {
          assert.ok(!isFinal, 'an attempt after a final failure');
          nowMs += next.waitMs;
          if (next.waitMs > 0 && !itinerary.arrive(next, nowMs)) continue;
          assert.ok(nowMs >= next.stop.lane.coolsUntil, 'called before the time that it named');
          const { verdict, retryAfterMs } = outcomes[attempts] ?? assert.fail('too many attempts');
          attempts += 1;
          next.stop.lane.fail(verdict, { nowMs, begunMs: nowMs, retryAfterMs });
          itinerary.failed(next.stop, verdict);
          isFinal = verdict.next === 'none';
        }
        assert.ok(attempts <= retries + 1);
      },
    ),
  );
});

test('an attempt beside another goes to another target, or else to another account, that is ready at once', () => {
  const [one, two, three] = [place('a/x', '1'), place('a/x', '2'), place('b/y', '1')];
  const itinerary = plan([one, two, three]);
  const underWay = itinerary.next(0)?.stop ?? assert.fail();
  assert.equal(itinerary.beside(0, underWay), three);
  assert.equal(itinerary.beside(0, underWay), two);
  assert.equal(itinerary.beside(0, underWay), undefined);
  assert.equal(itinerary.next(0), undefined);
});

test('one beside another passes nobody over for good, and calls nobody that wants to be left alone', () => {
  const [one, two] = [place('a/x', '1'), place('b/y', '1')];
  const itinerary = plan([one, two]);
  two.lane.cool(1_000, 'limited');
  const underWay = itinerary.next(0)?.stop ?? assert.fail();
  assert.equal(itinerary.beside(0, underWay), undefined);
  itinerary.failed(underWay, DOWN);
  assert.equal(itinerary.next(1_000)?.stop, two);
});

test('one beside another counts as a further attempt, and is made also where there are to be none', () => {
  const places = [place('a/x', '1'), place('b/y', '1'), place('c/z', '1')];
  const itinerary = plan(places, 0);
  const underWay = itinerary.next(0)?.stop ?? assert.fail();
  assert.equal(itinerary.beside(0, underWay), places[1]);
  assert.equal(itinerary.next(0), undefined);
});

test('a repeat without budget does not keep another place from being waited for', () => {
  const [down, limited] = [place('a/x', '1'), place('b/y', '1')];
  while (down.lane.retries.spend());
  limited.lane.cool(300, 'limited');
  // What is earned by this call's first attempt is less than one.
  const itinerary = plan([down, limited]);
  itinerary.failed(itinerary.next(0)?.stop ?? assert.fail(), DOWN);
  const next = itinerary.next(0) ?? assert.fail('the place that is free soon is not waited for');
  assert.equal(nameOf(next.stop), 'b/y@1');
});

test('further servers of a place earn no repeats', () => {
  const down = place('a/x', '1');
  while (down.lane.retries.spend());
  for (let call = 0; call < 5; call++) {
    const itinerary = plan([down]);
    for (let server = 0; server < 5; server++)
      itinerary.goOnAt(itinerary.next(0)?.stop ?? assert.fail(), true);
  }
  assert.equal(down.lane.retries.spend(), true, 'five calls earn one');
  assert.equal(down.lane.retries.spend(), false);
});
