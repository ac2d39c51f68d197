import { compileGlob } from '../config/glob.ts';
import type { AlertConfig } from '../config/resolve.ts';
import { OPERATOR } from '../usage/operator.ts';
import type { UsageRecord } from '../usage/record.ts';
import { isFault } from './faults.ts';
import { SlicedWindow } from './sliced-window.ts';

const SLICES = 30;
/** Of a p95: one call in twenty. */
const SLOW_SHARE = 0.05;

export type AlertMetric = 'errorRate' | 'p95Latency' | 'p95FirstToken' | 'spendUsd';

/** How a rule's calls stand. */
export interface Reading {
  metric: AlertMetric;
  /** Of `errorRate` the share of calls that failed, of a p95 the share that took as long as the threshold or longer, of `spendUsd` dollars. */
  value: number;
  /** As it is configured; milliseconds where it is a time. */
  threshold: number;
  /** That were counted. */
  calls: number;
  overSeconds: number;
}

interface Slice {
  calls: number;
  /** Calls that failed, or were as slow as the threshold. */
  bad: number;
  /** Calls that were as slow as what it must stay below to be cleared. */
  nearlyBad: number;
  costMicroUsd: number;
}

const EMPTY: Readonly<Slice> = Object.freeze({ calls: 0, bad: 0, nearlyBad: 0, costMicroUsd: 0 });

/**
 * One rule, and whether it is raised. It is raised when its threshold is met, and cleared when its value was well below for a while:
 * between the two it stays as it is, so that a value around the threshold is told once.
 */
export class AlertRule {
  readonly config: AlertConfig;
  isRaised = false;
  readonly #metric: AlertMetric;
  readonly #threshold: number;
  readonly #window: SlicedWindow<Slice>;
  readonly #isModel: (name: string) => boolean;
  readonly #isTenant: (name: string) => boolean;
  /** Unix milliseconds: since when it is well below without a break. */
  #belowSince: number | undefined;

  constructor(config: AlertConfig) {
    this.config = config;
    const { metric, threshold } = readThreshold(config);
    this.#metric = metric;
    this.#threshold = threshold;
    this.#window = new SlicedWindow(config.over, SLICES, () => ({ ...EMPTY }));
    this.#isModel = anyOf(config.models);
    this.#isTenant = anyOf(config.tenants);
  }

  observe(record: UsageRecord, now: number): void {
    // Nobody waits for those, and what they say of a candidate its rollout goes by. What they cost is spent all the same.
    if (record.tenant === OPERATOR && this.#metric !== 'spendUsd') return;
    if (!this.#isModel(record.model ?? '') || !this.#isTenant(record.tenant ?? '')) return;
    const measured = this.#measure(record);
    if (measured === undefined) return;
    const slice = this.#window.at(record.startedAt + record.latencyMs, now);
    if (!slice) return;
    slice.calls += 1;
    slice.costMicroUsd += record.costMicroUsd ?? 0;
    if (measured >= this.#threshold) slice.bad += 1;
    if (measured >= this.#threshold * this.config.clearBelow) slice.nearlyBad += 1;
  }

  /** Gives what it has become, where that is news. */
  evaluate(now: number): 'raised' | 'cleared' | undefined {
    const sum = this.#sum(now);
    if (this.#isMet(sum)) {
      this.#belowSince = undefined;
      if (this.isRaised) return undefined;
      this.isRaised = true;
      return 'raised';
    }
    if (!this.isRaised) return undefined;
    if (!this.#isWellBelow(sum)) {
      this.#belowSince = undefined;
      return undefined;
    }
    this.#belowSince ??= now;
    if (now - this.#belowSince < this.config.clearAfter) return undefined;
    this.isRaised = false;
    this.#belowSince = undefined;
    return 'cleared';
  }

  read(now: number): Reading {
    const sum = this.#sum(now);
    const { calls, bad, costMicroUsd } = sum;
    const share = calls === 0 ? 0 : bad / calls;
    return {
      metric: this.#metric,
      value: this.#metric === 'spendUsd' ? costMicroUsd / 1e6 : share,
      threshold: this.#threshold,
      calls,
      overSeconds: this.config.over / 1000,
    };
  }

  /** What of a call is held against the threshold; `undefined` where the call does not count. */
  #measure({ outcome, latencyMs, firstTokenMs }: UsageRecord): number | undefined {
    const isFailure = isFault(outcome);
    switch (this.#metric) {
      case 'errorRate':
        return isFailure === undefined ? undefined : Number(isFailure);
      case 'spendUsd':
        return 0;
      // What fails fast, or waits for what hangs, is no answer that took its time.
      case 'p95Latency':
        return isFailure === false ? latencyMs : undefined;
      case 'p95FirstToken':
        return isFailure === false ? (firstTokenMs ?? undefined) : undefined;
    }
  }

  #isMet({ calls, bad, costMicroUsd }: Slice): boolean {
    if (this.#metric === 'spendUsd') return costMicroUsd / 1e6 >= this.#threshold;
    if (calls < this.config.minCalls) return false;
    return bad / calls >= (this.#metric === 'errorRate' ? this.#threshold : SLOW_SHARE);
  }

  /** Also where there are too few calls to say: nothing goes wrong any more. */
  #isWellBelow({ calls, bad, nearlyBad, costMicroUsd }: Slice): boolean {
    const bound = this.#threshold * this.config.clearBelow;
    if (this.#metric === 'spendUsd') return costMicroUsd / 1e6 < bound;
    if (calls < this.config.minCalls) return true;
    return this.#metric === 'errorRate' ? bad / calls < bound : nearlyBad / calls < SLOW_SHARE;
  }

  #sum(now: number): Slice {
    const sum: Slice = { ...EMPTY };
    for (const { calls, bad, nearlyBad, costMicroUsd } of this.#window.all(now)) {
      sum.calls += calls;
      sum.bad += bad;
      sum.nearlyBad += nearlyBad;
      sum.costMicroUsd += costMicroUsd;
    }
    return sum;
  }
}

function readThreshold(config: AlertConfig): { metric: AlertMetric; threshold: number } {
  const { errorRate, p95Latency, p95FirstToken, spendUsd } = config;
  if (errorRate !== undefined) return { metric: 'errorRate', threshold: errorRate };
  if (p95Latency !== undefined) return { metric: 'p95Latency', threshold: p95Latency };
  if (p95FirstToken !== undefined) return { metric: 'p95FirstToken', threshold: p95FirstToken };
  if (spendUsd !== undefined) return { metric: 'spendUsd', threshold: spendUsd };
  throw new Error('an alert has no threshold, which the config check lets no one have');
}

function anyOf(patterns: readonly string[] | undefined): (name: string) => boolean {
  if (!patterns) return () => true;
  const matchers = patterns.map(compileGlob);
  return (name) => matchers.some((matches) => matches(name));
}
