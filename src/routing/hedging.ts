import { TimeHistogram } from './time-histogram.ts';

export interface HedgingOptions {
  /** A second attempt is made when the first one takes longer than so many of 100. */
  percentile: number;
  /** Of all calls, so many at most get one. */
  maxShare: number;
}

/** Fewer calls say nothing of the slowest of them. */
const LEAST_SEEN = 20;

/** What calls have left for others to use is not hoarded: when all get slow at once, hedging would be a second flood. */
const MOST_SAVED = 10;

/** Sums of tenths are a little less than whole. */
const ROUNDING = 1e-9;

/**
 * When a call of a model gets a second attempt beside its first, and how many calls do: no more than the share, however one counts from
 * the start.
 */
export class Hedging {
  readonly options: HedgingOptions;
  /** Of first attempts: to the first token of a stream, and to a whole answer. */
  readonly #times = { stream: new TimeHistogram(), whole: new TimeHistogram() };
  #saved = 0;

  constructor(options: HedgingOptions) {
    this.options = options;
  }

  /** A call of the model begins. */
  countCall(): void {
    this.#saved = Math.min(MOST_SAVED, this.#saved + this.options.maxShare);
  }

  /** How long the first attempt is waited for; `undefined`: not enough was seen to say what is slow. */
  delayMs(stream: boolean): number | undefined {
    const times = this.#times[stream ? 'stream' : 'whole'];
    const { percentile } = this.options;
    const least = Math.max(LEAST_SEEN, Math.ceil(100 / (100 - percentile)));
    return times.total < least ? undefined : times.percentile(percentile);
  }

  /** How long a first attempt took. One that lost to its second counts as long as it was waited for: it took longer than the percentile. */
  note(stream: boolean, ms: number): void {
    this.#times[stream ? 'stream' : 'whole'].note(ms);
  }

  /** Whether one more second attempt is within the share. */
  mayHedge(): boolean {
    return this.#saved >= 1 - ROUNDING;
  }

  /** One is made. */
  spend(): void {
    this.#saved = Math.max(0, this.#saved - 1);
  }
}

/** Of all models that have it. What they have learned outlives snapshots; a model whose options changed begins anew. */
export class HedgingBook {
  readonly #hedgings = new Map<string, Hedging>();

  find(model: string, options: HedgingOptions): Hedging {
    const known = this.#hedgings.get(model);
    const { percentile, maxShare } = options;
    if (known?.options.percentile === percentile && known.options.maxShare === maxShare) return known;
    const hedging = new Hedging({ percentile, maxShare });
    this.#hedgings.set(model, hedging);
    return hedging;
  }
}
