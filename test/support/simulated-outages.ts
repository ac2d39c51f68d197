import { createHash } from 'node:crypto';
import { chat } from '../../src/dialects/chat/index.ts';
import { passThrough } from '../../src/dialects/chat/pass-through.ts';
import type { Door } from '../../src/gateway/door.ts';
import { chatAnswer, chatChunk } from './raw-upstream.ts';
import { seeded } from './seeded.ts';
import { type VirtualClient, type VirtualExchange, VirtualGateway } from './virtual-gateway.ts';

/** How a provider fails during an outage. */
const WAYS = ['refused', 'reset', 'error', 'hang', 'limited', 'flaky'] as const;
type Way = (typeof WAYS)[number];

interface Outage {
  beginsMs: number;
  endsMs: number;
  way: Way;
}

/** Of calls a flaky provider answers so many not at all, however often it is asked. */
const FLAKY = 0.5;

const MEAN_UP_MS = 15 * 60_000;
const MEAN_OUTAGE_MS = 4 * 60_000;

const KEY = 'sk-fl-key-of-outages-00000000000';
const DOOR: Door = { dialect: chat, operation: 'generate', passThrough };
const NAMES = ['a', 'b', 'c'];

/** How long a call may take in all, and a provider until its first byte. */
const TOTAL_MS = 10_000;
const FIRST_BYTE_MS = 3_000;

const MEAN_GAP_MS = 2_000;

function settings(recoveryMs: number): object {
  const accounts = [{ name: 'main', apiKey: 'k' }];
  const providerAt = (name: string) => ({
    adapter: 'openai-compatible',
    baseUrl: `http://${name}.test/v1`,
    accounts,
  });
  return {
    providers: Object.fromEntries(NAMES.map((name) => [name, providerAt(name)])),
    models: {
      m: {
        targets: NAMES.map((name) => `${name}/x`),
        timeouts: { firstByte: `${FIRST_BYTE_MS}ms`, total: `${TOTAL_MS}ms` },
        waitForRecovery: `${recoveryMs}ms`,
      },
    },
    tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: KEY }] } },
  };
}

export interface SimulationOptions {
  seed: number;
  hours: number;
  /** How long clients wait, and so whoever knows all outages ahead. */
  patienceMs: number;
  /** How long a call waits for a target to be back. */
  recoveryMs: number;
}

export interface Outcome {
  calls: number;
  /** Calls that somebody who knew all outages ahead, and waited as long as their clients do, could have had answered. */
  answerable: number;
  /** Of these, those that were not answered. */
  lost: number;
  attempts: number;
  /** Requests to a provider before the time that it had named. */
  early: number;
  /** Of what each call came to. */
  digest: string;
}

class Provider {
  readonly #outages: Outage[] = [];
  /** The first that has not ended. */
  #next = 0;
  /** The time that it named, before which it is not to be called. */
  namedMs = 0;

  constructor(random: () => number, untilMs: number) {
    for (let fromMs = 0; fromMs < untilMs; ) {
      const beginsMs = fromMs + exponential(random, MEAN_UP_MS);
      const endsMs = beginsMs + exponential(random, MEAN_OUTAGE_MS);
      this.#outages.push({ beginsMs, endsMs, way: WAYS[Math.floor(random() * WAYS.length)] ?? 'error' });
      fromMs = endsMs;
    }
  }

  /** `nowMs` never goes back. */
  outage(nowMs: number): Outage | undefined {
    while ((this.#outages[this.#next]?.endsMs ?? Number.POSITIVE_INFINITY) <= nowMs) this.#next += 1;
    const next = this.#outages[this.#next];
    return next && next.beginsMs <= nowMs ? next : undefined;
  }

  /** Whether it answers a call at any time of these. */
  answersWithin(fromMs: number, untilMs: number, isUnlucky: boolean): boolean {
    const outage = this.outage(fromMs);
    if (!outage || (outage.way === 'flaky' && !isUnlucky)) return true;
    // Between two outages there is always a time.
    return outage.endsMs <= untilMs;
  }
}

function exponential(random: () => number, mean: number): number {
  return -Math.log(1 - random()) * mean;
}

interface Asked {
  client: VirtualClient;
  isAnswerable: boolean;
}

/** Calls of one model with three targets whose providers have outages at random, on the way that calls go in the gateway. */
export async function simulateOutages(options: SimulationOptions): Promise<Outcome> {
  const { seed, hours, patienceMs, recoveryMs } = options;
  // Each has its own: what the gateway does by chance changes neither the outages nor the calls.
  const [ofOutages, ofCalls] = [seeded(10 * seed + 1), seeded(10 * seed + 2)];
  const [ofAnswers, ofGateway] = [seeded(10 * seed + 3), seeded(10 * seed + 4)];
  const gateway = new VirtualGateway(settings(recoveryMs), ofGateway);
  const startMs = gateway.nowMs;
  const endMs = startMs + hours * 3_600_000;
  const providers = new Map(NAMES.map((name) => [name, new Provider(ofOutages, endMs + TOTAL_MS)]));
  /** By their numbers; and by whom those were answered that are over. */
  const underWay = new Map<number, Asked>();
  const answeredBy: string[] = [];
  /** By the number of the call: the providers that do not answer it while they are flaky. */
  const unlucky: Set<string>[] = [];
  const outcome = { calls: 0, answerable: 0, lost: 0, attempts: 0, early: 0 };

  const after = (ms: number, run: () => void) =>
    gateway.events.push({ atMs: gateway.nowMs + ms, run, atOnce: false });

  gateway.onExchange = (exchange) => {
    gateway.exchanges.length = 0;
    outcome.attempts += 1;
    const provider = providers.get(exchange.provider);
    if (!provider) throw new RangeError(exchange.provider);
    const { nowMs } = gateway;
    if (nowMs < provider.namedMs) outcome.early += 1;
    const number = Number(/call (\d+)/.exec(exchange.body)?.[1]);
    const outage = provider.outage(nowMs);
    const way = outage?.way;
    if (!outage) after(300 + exponential(ofAnswers, 300), () => succeed(exchange));
    else if (way === 'refused') after(1, () => exchange.lose('ECONNREFUSED'));
    else if (way === 'reset') after(50, () => exchange.lose('ECONNRESET'));
    else if (way === 'error') after(80, () => fail(exchange, 500));
    else if (way === 'hang') after(FIRST_BYTE_MS, () => exchange.lose('FIRST_BYTE_TIMEOUT'));
    else if (way === 'limited') {
      // Until it is over, or half a minute: who asks then is told again.
      const seconds = Math.ceil(Math.min(outage.endsMs - nowMs, 30_000) / 1000);
      after(20, () => {
        if (!exchange.isOver) provider.namedMs = Math.max(provider.namedMs, gateway.nowMs + seconds * 1000);
        fail(exchange, 429, { 'retry-after': String(seconds) });
      });
    } else if (unlucky[number]?.has(exchange.provider)) after(80, () => fail(exchange, 503));
    else after(600, () => succeed(exchange));
  };

  const end = (number: number): void => {
    const { client, isAnswerable } = underWay.get(number) ?? {};
    underWay.delete(number);
    const text = client?.text() ?? '';
    const isAnswered = client?.isEnded() && text.startsWith('HTTP/1.1 200') && text.includes('answer');
    answeredBy[number] = isAnswered ? (/x-fairlead-target: (.*)/.exec(text)?.[1] ?? '') : '-';
    if (isAnswerable) outcome.answerable += 1;
    if (isAnswerable && !isAnswered) outcome.lost += 1;
  };

  const arrive = (): void => {
    const { nowMs } = gateway;
    if (nowMs >= endMs) return;
    const number = outcome.calls;
    outcome.calls += 1;
    const isUnlucky = new Set(NAMES.filter(() => ofCalls() < FLAKY));
    unlucky.push(isUnlucky);
    const isAnswerable = [...providers].some(([name, provider]) =>
      provider.answersWithin(nowMs, nowMs + patienceMs, isUnlucky.has(name)),
    );
    const body = {
      model: 'm',
      messages: [{ role: 'user', content: `call ${number}` }],
      stream: number % 2 === 0,
    };
    for (const [other, { client }] of underWay) if (client.isEnded()) end(other);
    underWay.set(number, { client: gateway.call(DOOR, KEY, body), isAnswerable });
    gateway.records.length = 0;
    after(exponential(ofCalls, MEAN_GAP_MS), arrive);
  };
  after(0, arrive);
  await gateway.playOut([true]);

  for (const number of underWay.keys()) end(number);
  return { ...outcome, digest: createHash('sha256').update(answeredBy.join()).digest('hex') };
}

function succeed(exchange: VirtualExchange): void {
  if (exchange.body.includes('"stream":true')) {
    exchange.head(200, 'text/event-stream');
    exchange.data(chatChunk('answer') + chatChunk('', 'stop'));
    exchange.data('data: [DONE]\n\n');
  } else {
    exchange.head(200, 'application/json');
    exchange.data(chatAnswer('answer'));
  }
  exchange.end();
}

function fail(exchange: VirtualExchange, status: number, headers?: Record<string, string>): void {
  exchange.head(status, 'application/json', headers);
  exchange.data('{"error":{"message":"Not now"}}');
  exchange.end();
}
