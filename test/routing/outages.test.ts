import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { Itinerary, type Next, type Stop } from '../../src/routing/itinerary.ts';
import { type Lane, LaneBook } from '../../src/routing/lane.ts';
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
  good: number;
  /** Calls that nobody could have had answered when they came: every provider was down, or did not answer this one. */
  hopeless: number;
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
  const outcome = { calls: 0, good: 0, hopeless: 0, attempts: 0, early: 0 };
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
    if (providers.every(isDown)) outcome.hopeless += 1;
    const itinerary = new Itinerary(providers, { retries: 3, random, mayTry: () => true });
    const goOn = (): void => {
      const next = itinerary.next(time.nowMs);
      if (!next) hash.update('-');
      else if (next.waitMs > 0)
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
          outcome.good += 1;
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

  const arrive = (): void => {
    call();
    time.after(exponential(250), arrive);
  };
  arrive();
  time.runUntil(hours * 3_600_000);
  return { ...outcome, digest: hash.digest('hex') };
}

test('with outages of three providers, as many calls are answered as with hindsight, but one in a thousand', () => {
  const hours = scale({ sample: 2, heavy: 12 });
  for (const seed of scale({ sample: [1, 2], heavy: [1, 2, 3, 4, 5, 6] })) {
    const { calls, good, hopeless, attempts, early } = simulate(seed, hours);
    // Those that are under way at the end have no outcome: of four a second a handful.
    const best = calls - hopeless;
    const said = JSON.stringify({ seed, calls, good, hopeless, attempts });
    assert.ok(good >= best - 0.001 * calls - 5, said);
    assert.ok(attempts <= 1.2 * calls, `too much extra load: ${said}`);
    assert.equal(early, 0, `a provider was called before the time that it named: ${said}`);
    assert.ok(good < calls, `no call failed: the outages do not overlap, and show nothing: ${said}`);
  }
});

test('a simulation is the same at every run, and another with another seed', () => {
  const first = simulate(7, 1);
  assert.deepEqual(simulate(7, 1), first);
  assert.notEqual(simulate(8, 1).digest, first.digest);
});
