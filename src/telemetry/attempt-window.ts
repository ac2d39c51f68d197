import type { AttemptRecord, CallOutcome, UsageRecord } from '../usage/record.ts';
import { BoundedSeries } from './bounded-series.ts';
import { isFault } from './faults.ts';
import { boundTarget, type KnownNames, OTHER } from './known-names.ts';
import { SlicedWindow } from './sliced-window.ts';

export const HEALTH_WINDOW_MS = 5 * 60_000;
const SLICES = 10;
/** Of a target with an account. */
const MOST_SERIES = 2_000;

export interface LastFailure {
  /** Unix milliseconds. */
  at: number;
  outcome: CallOutcome;
  status: number | null;
  reason: string | null;
}

/** How attempts of late went. */
export interface RecentAttempts {
  attempts: number;
  failures: number;
  /** Unix milliseconds, since the start of the process; `null`: never. */
  lastSuccessAt: number | null;
  lastFailure: LastFailure | null;
}

interface Values {
  window: SlicedWindow<{ attempts: number; failures: number }>;
  lastSuccessAt: number | null;
  lastFailure: LastFailure | null;
}

export const NO_ATTEMPTS: Readonly<RecentAttempts> = Object.freeze({
  attempts: 0,
  failures: 0,
  lastSuccessAt: null,
  lastFailure: null,
});

/** How the attempts of the last five minutes went, of each target with each account. */
export class AttemptWindow {
  readonly #names: KnownNames;
  readonly #now: () => number;
  readonly #series = new BoundedSeries<'target' | 'account', Values>({
    names: ['target', 'account'],
    create: () => ({
      window: new SlicedWindow(HEALTH_WINDOW_MS, SLICES, () => ({ attempts: 0, failures: 0 })),
      lastSuccessAt: null,
      lastFailure: null,
    }),
    most: MOST_SERIES,
    fold: ({ target }) => ({ target: `${target.slice(0, target.indexOf('/') + 1)}${OTHER}`, account: OTHER }),
  });

  /** `now`: Unix milliseconds. */
  constructor(names: KnownNames, now: () => number) {
    this.#names = names;
    this.#now = now;
  }

  observe(records: readonly UsageRecord[]): void {
    const now = this.#now();
    for (const { startedAt, attempts } of records) {
      for (const attempt of attempts) this.#add(startedAt, attempt, now);
    }
  }

  /** Of all targets and accounts that were tried since the start. */
  *all(): Iterable<{ target: string; account: string; recent: RecentAttempts }> {
    const now = this.#now();
    for (const { labels, values } of this.#series.all()) {
      const { lastSuccessAt, lastFailure } = values;
      const recent: RecentAttempts = { attempts: 0, failures: 0, lastSuccessAt, lastFailure };
      for (const { attempts, failures } of values.window.all(now)) {
        recent.attempts += attempts;
        recent.failures += failures;
      }
      yield { ...labels, recent };
    }
  }

  #add(callStartedAt: number, attempt: AttemptRecord, now: number): void {
    const { target, account, startedAfterMs, durationMs, outcome, status, reason = null } = attempt;
    // It was broken off because another was faster: that says nothing of how the place does.
    if (outcome === 'lost') return;
    const isFailure = isFault(outcome);
    if (isFailure === undefined) return;
    const at = Math.round(callStartedAt + startedAfterMs + durationMs);
    const values = this.#series.at({ target: boundTarget(this.#names, target), account });
    if (!isFailure) values.lastSuccessAt = Math.max(values.lastSuccessAt ?? 0, at);
    else if (at >= (values.lastFailure?.at ?? 0)) values.lastFailure = { at, outcome, status, reason };
    const slice = values.window.at(at, now);
    if (!slice) return;
    slice.attempts += 1;
    if (isFailure) slice.failures += 1;
  }
}

/** Several as one. */
export function mergeRecent(several: Iterable<RecentAttempts>): RecentAttempts {
  const merged: RecentAttempts = { ...NO_ATTEMPTS };
  for (const { attempts, failures, lastSuccessAt, lastFailure } of several) {
    merged.attempts += attempts;
    merged.failures += failures;
    if ((lastSuccessAt ?? 0) > (merged.lastSuccessAt ?? 0)) merged.lastSuccessAt = lastSuccessAt;
    if ((lastFailure?.at ?? 0) > (merged.lastFailure?.at ?? 0)) merged.lastFailure = lastFailure;
  }
  return merged;
}
