import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { Breaker, DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { Itinerary, type Next } from '../../src/routing/itinerary.ts';
import { Lane } from '../../src/routing/lane.ts';
import type { Stop } from '../../src/routing/stop.ts';
import { verdictOf } from '../../src/routing/verdict.ts';
import { seeded } from '../support/seeded.ts';
import { VirtualTime } from '../support/virtual-time.ts';

interface Place extends Stop {
  lane: Lane;
}

const DOWN = verdictOf(new GatewayError('upstream_unavailable', ''));
const LIMITED = verdictOf(new GatewayError('upstream_rate_limited', ''));

function place(target: string): Place {
  const [own, reach] = [new Breaker(DEFAULT_BREAKER), new Breaker(DEFAULT_BREAKER)];
  return { target: { name: target }, lane: new Lane(target, 'main', own, reach) };
}

function limit({ lane }: Place, nowMs: number, retryAfterMs: number | undefined): void {
  lane.fail(LIMITED, { nowMs, begunMs: nowMs, retryAfterMs });
}

/** Five failures open the breaker; with the last of them the place may name a time. */
function failTo({ lane }: Place, nowMs: number, retryAfterMs?: number): void {
  for (let failure = 1; failure <= 5; failure++)
    lane.fail(DOWN, { nowMs, begunMs: nowMs, retryAfterMs: failure === 5 ? retryAfterMs : undefined });
}

function plan(places: Place[], retries = 7): Itinerary<Place> {
  return new Itinerary(places, { retries, random: () => 0.5, mayTry: () => true });
}

function nextOf(itinerary: Itinerary<Place>, nowMs: number): Next<Place> {
  return itinerary.next(nowMs) ?? assert.fail('nothing comes next');
}

test('a place that is limited anew when its wait is over is not waited for again, and is told with its new time', () => {
  const limited = place('a/x');
  limit(limited, 0, 300);
  const itinerary = plan([limited]);
  const next = nextOf(itinerary, 0);
  limit(limited, 310, 300);
  assert.equal(itinerary.arrive(next, next.waitMs), false);
  assert.equal(itinerary.next(next.waitMs), undefined);
  assert.equal(itinerary.coolsMs(next.waitMs), 610 - next.waitMs);
});

test('a place that was waited for in vain is called where its time comes while the call is elsewhere', () => {
  const [limited, other] = [place('a/x'), place('b/y')];
  limit(limited, 0, 300);
  limit(other, 0, 600);
  const itinerary = plan([limited, other]);
  const first = nextOf(itinerary, 0);
  assert.equal(first.stop, limited);
  limit(limited, 310, 200);
  assert.equal(itinerary.arrive(first, first.waitMs), false);
  const second = nextOf(itinerary, first.waitMs);
  assert.equal(second.stop, other);
  const nowMs = first.waitMs + second.waitMs;
  assert.ok(itinerary.arrive(second, nowMs));
  limit(other, nowMs, 60_000);
  itinerary.failed(other, LIMITED);
  assert.equal(nextOf(itinerary, nowMs).stop, limited);
});

test('a call waits for limits no longer than two seconds in all', () => {
  const limited = place('a/x');
  const itinerary = plan([limited]);
  let attempts = 0;
  let nowMs = 0;
  for (let next = itinerary.next(nowMs); next; next = itinerary.next(nowMs)) {
    nowMs += next.waitMs;
    if (next.waitMs > 0) assert.ok(itinerary.arrive(next, nowMs));
    attempts += 1;
    limit(limited, nowMs, 700);
    itinerary.failed(limited, LIMITED);
  }
  // The third wait would end after 2,100 ms.
  assert.equal(attempts, 3);
});

test('of many calls at a place that always names a second each ends within two, and a pause', () => {
  const random = seeded(1);
  const time = new VirtualTime();
  const limited = place('a/x');
  const endedMs: number[] = [];
  let early = 0;
  limit(limited, 0, 1_000);
  for (let call = 0; call < 30; call++) {
    const itinerary = new Itinerary([limited], { retries: 2, random, mayTry: () => true });
    const goOn = (): void => {
      const next = itinerary.next(time.nowMs);
      if (!next) endedMs.push(time.nowMs);
      else if (next.waitMs === 0) send();
      else time.after(next.waitMs, () => (itinerary.arrive(next, time.nowMs) ? send() : goOn()));
    };
    const send = (): void => {
      if (time.nowMs < limited.lane.coolsUntil) early += 1;
      time.after(5, () => {
        limit(limited, time.nowMs, 1_000);
        itinerary.failed(limited, LIMITED);
        goOn();
      });
    };
    goOn();
  }
  time.runUntil(3_600_000);
  assert.deepEqual([endedMs.length, early], [30, 0]);
  assert.ok(Math.max(...endedMs) <= 2_400, `the last call ended after ${Math.max(...endedMs)} ms`);
});

test('calls that are three times too many for five places end within two seconds and their attempts each', () => {
  for (const seed of [1, 2, 3]) {
    const random = seeded(seed);
    const time = new VirtualTime();
    const places = ['a/x', 'a/x', 'a/x', 'b/y', 'b/y'].map((target) => ({ ...place(target), sentMs: [0] }));
    const attemptMs = 20;
    let [calls, ended, early, longestMs] = [0, 0, 0, 0];
    const call = (): void => {
      const arrivedMs = time.nowMs;
      const order = places.map((one) => ({ one, at: random() })).toSorted((one, other) => one.at - other.at);
      const plan = order.map(({ one }) => one);
      const itinerary = new Itinerary(plan, { retries: 7, random, mayTry: () => true });
      let attempts = 0;
      const end = (): void => {
        ended += 1;
        longestMs = Math.max(longestMs, time.nowMs - arrivedMs - attempts * attemptMs);
      };
      const goOn = (): void => {
        const next = itinerary.next(time.nowMs);
        if (!next) end();
        else if (next.waitMs === 0) send(next.stop);
        else time.after(next.waitMs, () => (itinerary.arrive(next, time.nowMs) ? send(next.stop) : goOn()));
      };
      const send = (stop: (typeof places)[number]): void => {
        attempts += 1;
        const beganMs = time.nowMs;
        if (beganMs < stop.lane.coolsUntil) early += 1;
        // Each takes three calls a second.
        stop.sentMs = [...stop.sentMs.filter((ms) => ms > beganMs - 1_000), beganMs];
        const isOver = stop.sentMs.length > 3;
        time.after(attemptMs, () => {
          if (!isOver) {
            stop.lane.succeed(time.nowMs, beganMs);
            end();
            return;
          }
          limit(stop, time.nowMs, 300 + random() * 2_500);
          itinerary.failed(stop, LIMITED);
          goOn();
        });
      };
      goOn();
    };
    for (let ms = 0; ms < 60_000; ms += 30) {
      calls += 1;
      time.after(ms, call);
    }
    time.runUntil(120_000);
    assert.deepEqual([ended, early], [calls, 0]);
    assert.ok(longestMs <= 2_000.001, `a call waited for ${longestMs} ms`);
  }
});

test('one whose named time is over, and whose breaker is open, is tried once where there is no other', () => {
  const dead = place('a/x');
  failTo(dead, 0, 1_000);
  const itinerary = plan([dead]);
  const next = nextOf(itinerary, 0);
  assert.equal(itinerary.arrive(next, 1_050), false);
  assert.equal(dead.lane.readiness(1_050), 'poor');
  assert.deepEqual(itinerary.next(1_050), { stop: dead, waitMs: 0 });
  itinerary.failed(dead, DOWN);
  assert.equal(itinerary.next(1_060), undefined, 'it was tried a second time');
});

test('one whose named time ends while the call is elsewhere, and whose breaker is open, is tried within its budget', () => {
  const [down, dead] = [place('a/x'), place('b/y')];
  failTo(dead, 0, 1_000);
  const itinerary = plan([down, dead], 3);
  assert.equal(nextOf(itinerary, 0).stop, down);
  failTo(down, 1_500);
  itinerary.failed(down, DOWN);
  assert.deepEqual(itinerary.next(1_500), { stop: dead, waitMs: 0 });
});

test('one that was passed over and names a time meanwhile is waited for', () => {
  const [down, dead] = [place('a/x'), place('b/y')];
  failTo(dead, 0);
  const itinerary = plan([down, dead], 3);
  assert.equal(nextOf(itinerary, 0).stop, down);
  failTo(down, 100);
  dead.lane.fail(DOWN, { nowMs: 100, begunMs: 50, retryAfterMs: 500 });
  itinerary.failed(down, DOWN);
  const next = nextOf(itinerary, 100);
  assert.equal(next.stop, dead);
  assert.ok(next.waitMs >= 500);
  assert.equal(itinerary.coolsMs(100), 500);
});

test('one that a call has tried, and that is dead by the time of its repeat, is not tried again', () => {
  const down = place('a/x');
  const itinerary = plan([down]);
  assert.equal(nextOf(itinerary, 0).stop, down);
  itinerary.failed(down, DOWN);
  const again = nextOf(itinerary, 0);
  failTo(down, 50);
  assert.equal(itinerary.arrive(again, again.waitMs), false);
  assert.equal(itinerary.next(again.waitMs), undefined);
});

test('a place that was not tried, and is free by now, is called at once', () => {
  const [limited, down] = [place('a/x'), place('b/y')];
  limit(limited, 0, 1_000);
  const itinerary = plan([limited, down]);
  assert.equal(nextOf(itinerary, 0).stop, down);
  itinerary.failed(down, DOWN);
  assert.deepEqual(itinerary.next(1_000), { stop: limited, waitMs: 0 });
});

test('one that was passed over for its failures, and is well by now, is called at once', () => {
  const [dead, down] = [place('a/x'), place('b/y')];
  failTo(dead, 0);
  const itinerary = plan([dead, down]);
  assert.equal(nextOf(itinerary, 0).stop, down);
  while (dead.lane.retries.spend());
  dead.lane.begin(2_000);
  dead.lane.succeed(2_010, 2_000);
  itinerary.failed(down, DOWN);
  assert.deepEqual(itinerary.next(2_020), { stop: dead, waitMs: 0 });
});

test('of two places whose limits pass in turn the one that is free is called without a further wait', () => {
  const places = [place('a/x'), place('b/y')] as const;
  for (const one of places) limit(one, 0, 300);
  const itinerary = plan([...places]);
  const next = nextOf(itinerary, 0);
  limit(places[0], 310, 300);
  assert.equal(itinerary.arrive(next, next.waitMs), false);
  assert.deepEqual(itinerary.next(next.waitMs), { stop: places[1], waitMs: 0 });
});

test('one that is limited anew at once is tried again within the two seconds only', () => {
  const limited = place('a/x');
  const itinerary = plan([limited], 10);
  let waitedMs = 0;
  for (let next = itinerary.next(waitedMs); next; next = itinerary.next(waitedMs)) {
    waitedMs += next.waitMs;
    if (next.waitMs > 0) assert.ok(itinerary.arrive(next, waitedMs));
    limit(limited, waitedMs, 0);
    itinerary.failed(limited, LIMITED);
  }
  assert.ok(waitedMs <= 2_000, `it waited for ${waitedMs} ms`);
});

test('a place whose credential may not be tried does not keep another from being waited for', () => {
  const [refused, limited] = [place('a/x'), place('b/y')];
  limit(refused, 0, 200);
  limit(limited, 0, 300);
  const itinerary = new Itinerary([refused, limited], {
    ...{ retries: 3, random: () => 0.5 },
    mayTry: (stop: Place) => stop !== refused,
  });
  assert.equal(nextOf(itinerary, 0).stop, limited);
});
