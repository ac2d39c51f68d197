/** Each bucket reaches so many times as far as the one before: a quantile is told within four percent. */
const GROWTH = 1.08;
/** Beyond the last are more than a day, in milliseconds. */
const LAST = 240;

/** How many values lie in each bucket, by its place; empty ones are left out. Bucket `i` begins at `GROWTH ** i`, the first at 0. */
export type Histogram = Record<string, number>;

/** Counts a value that is not negative. A histogram never has more than 241 entries, whatever it holds. */
export function addValue(histogram: Histogram, value: number): void {
  const place = value < 1 ? 0 : Math.min(Math.floor(Math.log(value) / Math.log(GROWTH)), LAST);
  histogram[place] = (histogram[place] ?? 0) + 1;
}

export function countValues(histogram: Histogram): number {
  return Object.values(histogram).reduce((sum, count) => sum + count, 0);
}

/** The middle of the bucket that the quantile lies in; `undefined` where there are no values. */
export function quantileOf(histogram: Histogram, quantile: number): number | undefined {
  const before = quantile * countValues(histogram);
  let seen = 0;
  // Keys that are whole numbers come in their order.
  for (const [place, count] of Object.entries(histogram)) {
    seen += count;
    if (seen > before) return GROWTH ** (Number(place) + 0.5);
  }
  return undefined;
}

/** Its buckets that are not empty, in their order; `to` is `null` where one has no end. */
export function bucketsOf(histogram: Histogram): { from: number; to: number | null; count: number }[] {
  return Object.entries(histogram).map(([key, count]) => {
    const place = Number(key);
    return {
      from: place === 0 ? 0 : GROWTH ** place,
      to: place === LAST ? null : GROWTH ** (place + 1),
      count,
    };
  });
}
