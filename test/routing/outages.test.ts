import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { Itinerary, type Next, type Stop } from '../../src/routing/itinerary.ts';
import type { Lane } from '../../src/routing/lane.ts';
import { LaneBook } from '../../src/routing/lane-book.ts';
import { verdictOf } from '../../src/routing/verdict.ts';
import { scale } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { VirtualTime } from '../support/virtual-time.ts';

/** How a provider fails during an outage. */
const WAYS = ['refused', 'reset', 'error', 'hang', 'limited', 'flaky'] as const;
type Way = (typeof WAYS)[number];

/** Of calls a flaky provider answers so many not at all, however often it is asked. */
const FLAKY = 0.5;

/** How long the time-out for a first byte is. */
const HANG_MS = 10_000;

interface Provider extends Stop {
  lane: Lane;
  way: Way | undefined;
  /** When the outage ends that is under way. */
  endsMs: number;
  /** The time that it named, before which it is not to be called. */
  namedMs: number;
}

interface Outcome {
  calls: number;
  /** Calls that somebody could have had answered when they came: one provider was up, and answered this one. */
  answerable: number;
  /** Of these, those that were not answered. */
  lost: number;
  /** Others that were: it was waited until a provider was up again. */
  saved: number;
  attempts: number;
  early: number;
  digest: string;
}

/** Simulates calls of one model with three targets whose providers have outages at random. */
function simulate(seed: number, hours: number): Outcome {
  const random = seeded(seed);
  const time = new VirtualTime();
  const book = new LaneBook({ monotonicMs: () => time.nowMs });
  const providers = ['a', 'b', 'c'].map((name): Provider => {
    const lane = book.find(`${name}/x`, { provider: name, account: 'main', options: DEFAULT_BREAKER });
    return { target: { name: `${name}/x` }, lane, way: undefined, endsMs: 0, namedMs: 0 };
  });
  const exponential = (meanMs: number) => -Math.log(1 - random()) * meanMs;
  const outcome = { calls: 0, answerable: 0, lost: 0, saved: 0, attempts: 0, early: 0 };
  const hash = createHash('sha256');

  const live = (provider: Provider): void => {
    time.after(exponential(15 * 60_000), () => {
      provider.way = WAYS[Math.floor(random() * WAYS.length)];
      const ms = exponential(4 * 60_000);
      provider.endsMs = time.nowMs + ms;
      time.after(ms, () => {
        provider.way = undefined;
        live(provider);
      });
    });
  };
  providers.forEach(live);

  /** What an attempt comes to, after how long. */
  const answer = (provider: Provider, isUnlucky: boolean): { afterMs: number; failure?: GatewayError } => {
    const unavailable = (code?: string) =>
      new GatewayError('upstream_unavailable', '', code === undefined ? {} : { cause: { code } });
    switch (provider.way) {
      case 'refused':
        return { afterMs: 1, failure: unavailable('ECONNREFUSED') };
      case 'reset':
        return { afterMs: 50, failure: unavailable('ECONNRESET') };
      case 'error':
        return { afterMs: 80, failure: unavailable() };
      case 'hang':
        return {
          afterMs: HANG_MS,
          failure: new GatewayError('upstream_timeout', '', { cause: { code: 'FIRST_BYTE_TIMEOUT' } }),
        };
      case 'limited': {
        // Until it is over, or half a minute: who asks then is told again.
        const retryAfterMs = Math.min(provider.endsMs - time.nowMs, 30_000);
        return { afterMs: 20, failure: new GatewayError('upstream_rate_limited', '', { retryAfterMs }) };
      }
      case 'flaky':
        return isUnlucky ? { afterMs: 80, failure: unavailable() } : { afterMs: 600 };
      default:
        return { afterMs: 300 + exponential(300) };
    }
  };

  const call = (): void => {
    outcome.calls += 1;
    const unlucky = new Set(providers.filter(() => random() < FLAKY));
    const isDown = (provider: Provider) =>
      provider.way !== undefined && (provider.way !== 'flaky' || unlucky.has(provider));
    const isAnswerable = !providers.every(isDown);
    if (isAnswerable) outcome.answerable += 1;
    const itinerary = new Itinerary(providers, { retries: 3, random, mayTry: () => true });
    const goOn = (): void => {
      const next = itinerary.next(time.nowMs);
      if (!next) {
        hash.update('-');
        if (isAnswerable) outcome.lost += 1;
      } else if (next.waitMs > 0)
        time.after(next.waitMs, () => (itinerary.arrive(next, time.nowMs) ? send(next) : goOn()));
      else send(next);
    };
    const send = ({ stop }: Next<Provider>): void => {
      const sentMs = time.nowMs;
      outcome.attempts += 1;
      if (sentMs < stop.namedMs) outcome.early += 1;
      const { afterMs, failure } = answer(stop, unlucky.has(stop));
      time.after(afterMs, () => {
        if (!failure) {
          stop.lane.succeed(time.nowMs, sentMs);
          if (!isAnswerable) outcome.saved += 1;
          hash.update(stop.target.name);
          return;
        }
        const { retryAfterMs = 0 } = failure;
        if (retryAfterMs > 0) stop.namedMs = Math.max(stop.namedMs, time.nowMs + retryAfterMs);
        const verdict = verdictOf(failure);
        stop.lane.fail(verdict, { nowMs: time.nowMs, begunMs: sentMs, retryAfterMs: failure.retryAfterMs });
        itinerary.failed(stop, verdict);
        goOn();
      });
    };
    goOn();
  };

  const endMs = hours * 3_600_000;
  const arrive = (): void => {
    if (time.nowMs >= endMs) return;
    call();
    time.after(exponential(250), arrive);
  };
  arrive();
  // Those that are under way then have their end, too.
  time.runUntil(endMs + 5 * 60_000);
  return { ...outcome, digest: hash.digest('hex') };
}

test('in 12 hours with outages of three providers, of the calls that hindsight could have had answered one in a thousand is lost at most', () => {
  let hopeless = 0;
  for (let seed = 1; seed <= scale({ sample: 3, heavy: 40 }); seed++) {
    const { calls, answerable, lost, saved, attempts, early } = simulate(seed, 12);
    const said = JSON.stringify({ seed, calls, answerable, lost, saved, attempts });
    assert.ok(lost <= 0.001 * answerable, said);
    assert.ok(attempts <= 1.2 * calls, `too much extra load: ${said}`);
    assert.equal(early, 0, `a provider was called before the time that it named: ${said}`);
    assert.ok(attempts > calls, `nothing failed: ${said}`);
    hopeless += calls - answerable;
  }
  assert.ok(hopeless > 0, 'the outages never overlap, and show nothing');
});

test('a simulation is the same at every run, and another with another seed', () => {
  const first = simulate(7, 1);
  assert.deepEqual(simulate(7, 1), first);
  assert.notEqual(simulate(8, 1).digest, first.digest);
});
