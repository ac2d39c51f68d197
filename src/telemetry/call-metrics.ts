import { NO_USAGE } from '../conversation/usage.ts';
import { mapTokens, type TokenCounts } from '../usage/call-row.ts';
import type { AttemptRecord, UsageRecord } from '../usage/record.ts';
import { BoundedSeries, type Series } from './bounded-series.ts';
import { Buckets, CALL_BOUNDS, FIRST_TOKEN_BOUNDS } from './buckets.ts';
import { boundTarget, type KnownNames, OTHER } from './known-names.ts';

/** Tenants that have series of their own: the first ones that call. */
const MOST_TENANTS = 100;
/** Of calls, and of attempts. */
const MOST_SERIES = 2_000;

export type CallLabel = 'tenant' | 'model' | 'operation' | 'outcome';
export type AttemptLabel = 'target' | 'account' | 'outcome';

export interface CallValues {
  calls: number;
  /** Calls that used something that has no known price. */
  unpriced: number;
  costMicroUsd: number;
  tokens: TokenCounts;
  durations: Buckets;
  firstTokens: Buckets;
}

export interface AttemptValues {
  attempts: number;
  durations: Buckets;
}

/**
 * Adds up usage records for whoever scrapes, since the start of the process. A few additions a record, and one look-up of
 * its labels: prom-client would take several microseconds.
 */
export class CallMetrics {
  readonly #names: KnownNames;
  readonly #tenants = new Set<string>();
  readonly #calls = new BoundedSeries<CallLabel, CallValues>({
    names: ['tenant', 'model', 'operation', 'outcome'],
    create: createCallValues,
    most: MOST_SERIES,
    fold: (labels) => ({ ...labels, tenant: OTHER, model: OTHER }),
  });
  readonly #attempts = new BoundedSeries<AttemptLabel, AttemptValues>({
    names: ['target', 'account', 'outcome'],
    create: () => ({ attempts: 0, durations: new Buckets(CALL_BOUNDS) }),
    most: MOST_SERIES,
    fold: (labels) => ({ ...labels, target: OTHER, account: OTHER }),
  });

  constructor(names: KnownNames) {
    this.#names = names;
  }

  observe(records: readonly UsageRecord[]): void {
    for (const record of records) {
      this.#addCall(record);
      for (const attempt of record.attempts) this.#addAttempt(attempt);
    }
  }

  calls(): Iterable<Series<CallLabel, CallValues>> {
    return this.#calls.all();
  }

  attempts(): Iterable<Series<AttemptLabel, AttemptValues>> {
    return this.#attempts.all();
  }

  #addCall(record: UsageRecord): void {
    const { tenant, model, operation, outcome, latencyMs, firstTokenMs, usage, costMicroUsd } = record;
    const values = this.#calls.at({
      tenant: this.#tenantLabel(tenant),
      model: model !== null && this.#names.isModel(model) ? model : OTHER,
      operation,
      outcome,
    });
    values.calls += 1;
    values.durations.add(latencyMs / 1000);
    if (firstTokenMs !== null) values.firstTokens.add(firstTokenMs / 1000);
    if (costMicroUsd !== null) values.costMicroUsd += costMicroUsd;
    else if (usage) values.unpriced += 1;
    if (usage) addTokens(values.tokens, usage);
  }

  #addAttempt({ target, account, outcome, durationMs }: AttemptRecord): void {
    const values = this.#attempts.at({ target: boundTarget(this.#names, target), account, outcome });
    values.attempts += 1;
    values.durations.add(durationMs / 1000);
  }

  #tenantLabel(tenant: string | null): string {
    if (tenant === null) return OTHER;
    if (this.#tenants.has(tenant)) return tenant;
    if (this.#tenants.size >= MOST_TENANTS) return OTHER;
    this.#tenants.add(tenant);
    return tenant;
  }
}

function createCallValues(): CallValues {
  return {
    calls: 0,
    unpriced: 0,
    costMicroUsd: 0,
    tokens: mapTokens((kind) => NO_USAGE[kind]),
    durations: new Buckets(CALL_BOUNDS),
    firstTokens: new Buckets(FIRST_TOKEN_BOUNDS),
  };
}

function addTokens(sums: TokenCounts, usage: TokenCounts): void {
  sums.input += usage.input;
  sums.inputAudio += usage.inputAudio;
  sums.cacheRead += usage.cacheRead;
  sums.cacheWrite += usage.cacheWrite;
  sums.cacheWrite1h += usage.cacheWrite1h;
  sums.output += usage.output;
  sums.outputAudio += usage.outputAudio;
  sums.reasoning += usage.reasoning;
}
