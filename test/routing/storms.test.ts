import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { Itinerary, type Next } from '../../src/routing/itinerary.ts';
import type { Lane } from '../../src/routing/lane.ts';
import { LaneBook } from '../../src/routing/lane-book.ts';
import type { Stop } from '../../src/routing/stop.ts';
import { verdictOf } from '../../src/routing/verdict.ts';
import { scale } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';
import { VirtualTime } from '../support/virtual-time.ts';

const MINUTE_MS = 60_000;
const PROVIDERS = ['a', 'b'];
const ACCOUNTS = ['one', 'two', 'three'];
const MODELS = ['busy', 'quiet'];

/** Of each account, for each model by itself, in a minute. */
const LIMIT = 100;

/** A model at an account of a provider, which counts what it is sent. */
interface Place extends Stop {
  lane: Lane;
  model: string;
  taken: number;
  /** When its minute is over. */
  wholeMs: number;
  /** The time that it named, before which it is not to be called. */
  namedMs: number;
}

interface Storm {
  /** Calls of each model, and how many of them were answered. */
  calls: Record<string, number>;
  good: Record<string, number>;
  /** Attempts that were refused, and that came before the time that their place had named. */
  refused: number;
  early: number;
}

/** Calls of two models at two providers with three accounts each: so many a minute, each minute at each place beginning at another time. */
function simulate(seed: number, perMinute: Record<string, number>, minutes: number): Storm {
  const random = seeded(seed);
  const time = new VirtualTime();
  const book = new LaneBook({ monotonicMs: () => time.nowMs });
  const places = MODELS.flatMap((model) =>
    PROVIDERS.flatMap((provider) =>
      ACCOUNTS.map((account): Place => {
        const target = `${provider}/${model}`;
        const lane = book.find(target, { provider, account, options: DEFAULT_BREAKER });
        const wholeMs = random() * MINUTE_MS;
        return { target: { name: target }, lane, model, taken: 0, wholeMs, namedMs: 0 };
      }),
    ),
  );
  const storm: Storm = { calls: {}, good: {}, refused: 0, early: 0 };

  /** What an attempt comes to. A limit says how long it is for, in whole seconds as most do. */
  const answer = (place: Place): GatewayError | undefined => {
    while (time.nowMs >= place.wholeMs) {
      place.wholeMs += MINUTE_MS;
      place.taken = 0;
    }
    if (time.nowMs < place.namedMs) storm.early += 1;
    place.taken += 1;
    if (place.taken <= LIMIT) return undefined;
    const retryAfterMs = Math.ceil((place.wholeMs - time.nowMs) / 1_000) * 1_000;
    return new GatewayError('upstream_rate_limited', '', { retryAfterMs });
  };

  const call = (model: string): void => {
    storm.calls[model] = (storm.calls[model] ?? 0) + 1;
    // Accounts by chance, providers in their order.
    const plan = places
      .filter((place) => place.model === model)
      .map((place) => ({ place, at: (place.target.name.startsWith('a') ? 0 : 1) + random() }))
      .sort((one, other) => one.at - other.at)
      .map(({ place }) => place);
    const itinerary = new Itinerary(plan, { retries: 5, random, mayTry: () => true });
    const goOn = (): void => {
      const next = itinerary.next(time.nowMs);
      if (!next) return;
      if (next.waitMs > 0)
        time.after(next.waitMs, () => (itinerary.arrive(next, time.nowMs) ? send(next) : goOn()));
      else send(next);
    };
    const send = ({ stop }: Next<Place>): void => {
      const sentMs = time.nowMs;
      const failure = answer(stop);
      time.after(20 + random() * 50, () => {
        if (!failure) {
          stop.lane.succeed(time.nowMs, sentMs);
          storm.good[model] = (storm.good[model] ?? 0) + 1;
          return;
        }
        storm.refused += 1;
        const { retryAfterMs = 0 } = failure;
        stop.namedMs = Math.max(stop.namedMs, time.nowMs + retryAfterMs);
        const verdict = verdictOf(failure);
        stop.lane.fail(verdict, { nowMs: time.nowMs, begunMs: sentMs, retryAfterMs });
        itinerary.failed(stop, verdict);
        goOn();
      });
    };
    goOn();
  };

  const endMs = minutes * MINUTE_MS;
  for (const [model, rate] of Object.entries(perMinute)) {
    const arrive = (): void => {
      if (time.nowMs >= endMs) return;
      call(model);
      time.after((-Math.log(1 - random()) * MINUTE_MS) / rate, arrive);
    };
    arrive();
  }
  // What waits then has its end, too.
  time.runUntil(endMs + MINUTE_MS);
  return storm;
}

/** What all accounts of both providers take of a model. */
const CAPACITY = PROVIDERS.length * ACCOUNTS.length * LIMIT;

test('in a storm of 429s no place is called before the time that it named, and each is used for all that it takes', () => {
  for (const seed of scale({ sample: [1], heavy: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] })) {
    const minutes = scale({ sample: 10, heavy: 60 });
    const { calls, good, refused, early } = simulate(seed, { busy: 2 * CAPACITY, quiet: 60 }, minutes);
    const said = JSON.stringify({ seed, calls, good, refused });
    assert.equal(early, 0, said);
    assert.ok((good['busy'] ?? 0) >= 0.9 * CAPACITY * minutes, said);
    // Of each place and minute only those that were under way when the first was refused, of the hundreds that find no room.
    assert.ok(refused <= 6 * PROVIDERS.length * ACCOUNTS.length * minutes, said);
  }
});

test('a model whose places are limited does not keep another from the same accounts', () => {
  const { calls, good, refused } = simulate(4, { busy: 3 * CAPACITY, quiet: 0.9 * CAPACITY }, 10);
  assert.ok(refused > 0);
  assert.equal(good['quiet'], calls['quiet']);
});

test('accounts that are limited pass their calls to those that are not: nobody is refused as long as there is room in all', () => {
  const { calls, good, refused, early } = simulate(5, { busy: 0.9 * CAPACITY }, 30);
  assert.ok(refused > 0, 'no account was limited: the calls show nothing');
  assert.deepEqual([good['busy'], early], [calls['busy'], 0]);
});
