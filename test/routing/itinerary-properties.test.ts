import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { Breaker, DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { Itinerary } from '../../src/routing/itinerary.ts';
import { Lane } from '../../src/routing/lane.ts';
import type { Stop } from '../../src/routing/stop.ts';
import { type Verdict, verdictOf } from '../../src/routing/verdict.ts';
import { scale } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';

interface Place extends Stop {
  lane: Lane;
  /** The latest time that it named, before which it is not to be called. */
  namedMs: number;
}

/** What a place does at a moment, whoever calls. */
interface Deed {
  place: number;
  what: 'answers' | 'limits' | 'fails' | 'is probed' | 'is out of credit';
  forMs: number | undefined;
}

const VERDICTS: Record<'limits' | 'fails' | 'hangs' | 'refuses' | 'is out of credit', Verdict> = {
  limits: verdictOf(new GatewayError('upstream_rate_limited', '')),
  fails: verdictOf(new GatewayError('upstream_unavailable', '')),
  hangs: verdictOf(new GatewayError('upstream_timeout', '', { cause: { code: 'FIRST_BYTE_TIMEOUT' } })),
  refuses: verdictOf(new GatewayError('upstream_rejected', '')),
  'is out of credit': verdictOf(
    new GatewayError('upstream_unavailable', '', { code: 'upstream_payment_required' }),
  ),
};

const NAMED_MS = fc.option(fc.integer({ min: 0, max: 4_000 }), { nil: undefined });
/** What others do to the places, at each step of the call: while it waits, too. */
const OTHERS: fc.Arbitrary<Deed[]> = fc.array(
  fc.record({
    place: fc.nat({ max: 5 }),
    what: fc.constantFrom('answers', 'limits', 'fails', 'is probed', 'is out of credit'),
    forMs: NAMED_MS,
  }),
  { maxLength: 6 },
);
const OUTCOMES = fc.record({
  what: fc.constantFrom('limits', 'limits', 'fails', 'fails', 'hangs', 'is out of credit', 'refuses'),
  forMs: NAMED_MS,
  tookMs: fc.integer({ min: 0, max: 3_000 }),
});

function makePlace(target: string, account: string): Place {
  const [own, reach] = [new Breaker(DEFAULT_BREAKER), new Breaker(DEFAULT_BREAKER)];
  return { target: { name: target }, lane: new Lane(target, account, own, reach), namedMs: 0 };
}

function fail(place: Place, verdict: Verdict, nowMs: number, retryAfterMs: number | undefined): void {
  place.lane.fail(verdict, { nowMs, begunMs: nowMs, retryAfterMs });
  if (retryAfterMs === undefined) return;
  if (verdict.says === 'limited' || verdict.says === 'failing')
    place.namedMs = Math.max(place.namedMs, nowMs + retryAfterMs);
}

function act(place: Place, { what, forMs }: Deed, nowMs: number): void {
  const { lane } = place;
  if (what === 'answers') lane.succeed(nowMs, nowMs);
  else if (what === 'is probed') {
    if (lane.readiness(nowMs) === 'ready') lane.begin(nowMs);
  } else if (what === 'fails')
    for (let failure = 0; failure < 5; failure++) fail(place, VERDICTS.fails, nowMs, forMs);
  else fail(place, VERDICTS[what], nowMs, forMs);
}

test('whatever places and others do: a call ends, waits two seconds for limits at most, and calls what is free at once', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 1, max: 1_000_000 }),
      OTHERS,
      fc.array(OTHERS, { minLength: 1, maxLength: 24 }),
      fc.array(OUTCOMES, { minLength: 1, maxLength: 12 }),
      (count, retries, seed, before, meanwhile, outcomes) => {
        const random = seeded(seed);
        const places = Array.from({ length: count }, (_, index) => makePlace(`p/${index % 3}`, `${index}`));
        const others = (deeds: readonly Deed[], atMs: number) => {
          for (const deed of deeds) {
            const place = places[deed.place];
            if (place) act(place, deed, atMs);
          }
        };
        let nowMs = 10_000;
        others(before, nowMs - 100);
        const itinerary = new Itinerary(places, { retries, random, mayTry: () => true });
        const tried = new Map<Place, { wasLimited: boolean }>();
        let [attempts, steps, waitedMs, repeats, isFinal] = [0, 0, 0, 0, false];
        for (let next = itinerary.next(nowMs); next; next = itinerary.next(nowMs)) {
          steps += 1;
          assert.ok(steps <= retries + 1 + 3 * count, 'it comes to no end');
          assert.ok(!isFinal, 'an attempt after a final failure');
          const { stop, waitMs } = next;
          if (waitMs > 0) {
            const isFree = (one: Place) => !tried.has(one) && one.lane.readiness(nowMs) === 'ready';
            assert.ok(!places.some(isFree), 'it waits though a place is free that it has not tried');
            const isLimited = stop.lane.limitedUntil > nowMs || tried.get(stop)?.wasLimited === true;
            if (isLimited) waitedMs += waitMs;
            else assert.ok(waitMs <= Math.min(200 * 2 ** repeats, 5_000), `a pause of ${waitMs} ms`);
            assert.ok(waitedMs <= 2_000 + 1e-6, `it waited for limits for ${waitedMs} ms`);
            if (tried.has(stop)) repeats += 1;
            // What others learn meanwhile they learn just before the wait is over.
            nowMs += waitMs;
            others(meanwhile[steps % meanwhile.length] ?? [], nowMs - 1e-3);
            if (!itinerary.arrive(next, nowMs)) continue;
          }
          assert.ok(nowMs >= stop.namedMs, 'called before the time that it named');
          const { what, forMs, tookMs } = outcomes[attempts % outcomes.length] ?? assert.fail();
          attempts += 1;
          nowMs += tookMs;
          others(meanwhile[(steps + 7) % meanwhile.length] ?? [], nowMs - 1e-3);
          const verdict = VERDICTS[what];
          tried.set(stop, { wasLimited: verdict.says === 'limited' });
          fail(stop, verdict, nowMs, forMs);
          itinerary.failed(stop, verdict);
          isFinal = verdict.next === 'none';
        }
        assert.ok(attempts <= retries + 1, `${attempts} attempts`);
      },
    ),
    { numRuns: scale({ sample: 300, heavy: 30_000 }) },
  );
});
