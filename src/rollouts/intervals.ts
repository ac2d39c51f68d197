import { bucketsOf, countValues, type Histogram } from './histogram.ts';

/** How often the truth is ever outside of an interval, however often it is looked at. */
const MISSED = 0.05;

/** Halvings until no digit changes any more. */
const HALVINGS = 60;

export interface Interval {
  low: number;
  high: number;
}

/**
 * Where the share that something happens in lies, with 95 % certainty over the whole life of a rollout: all shares that a bet on all others
 * has not won twenty times its stake against. Such an interval is wider than one for a single look (Wilson's), and may be looked at after
 * every call.
 *
 * Source: the mixture of Krichevsky and Trofimov, "The performance of universal encoding" (1981), as a confidence sequence by Ville's
 * inequality.
 */
export function shareInterval(happened: number, calls: number): Interval {
  if (calls === 0) return { low: 0, high: 1 };
  const misses = calls - happened;
  const mixed = logMixed(happened, misses);
  const isOutside = (share: number) => isRefuted(mixed, happened, misses, share);
  const mean = happened / calls;
  return {
    low: happened === 0 ? 0 : edgeBetween(mean, 0, isOutside),
    high: misses === 0 ? 1 : edgeBetween(mean, 1, isOutside),
  };
}

/** What is not known by few calls is `null`. */
export interface QuantileInterval {
  low: number;
  high: number | null;
}

/**
 * The same of a quantile: all values that the share of calls up to them allows to be it. It reaches as far as the buckets of the histogram do, so it is
 * never too narrow for them.
 *
 * Source: Howard and Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification" (2022), for a quantile that is chosen
 * beforehand.
 */
export function quantileInterval(histogram: Histogram, quantile: number): QuantileInterval {
  const calls = countValues(histogram);
  const isOutside = (below: number) =>
    isRefuted(logMixed(below, calls - below), below, calls - below, quantile);
  let low: number | undefined;
  let high: number | null = null;
  let before = 0;
  for (const { from, to, count } of bucketsOf(histogram)) {
    const upTo = before + count;
    low ??= upTo >= quantile * calls || !isOutside(upTo) ? from : undefined;
    if (before <= quantile * calls || !isOutside(before)) high = to;
    before = upTo;
  }
  // Of few calls it may be below or above all that were seen.
  return { low: isOutside(0) ? (low ?? 0) : 0, high: isOutside(calls) ? high : null };
}

/** How far amounts lie apart. */
export interface Spread {
  /** The sum of their squares. */
  squares: number;
  /** The largest of them. */
  most: number;
}

/** Of fewer calls it is not known how far they lie apart. */
const LEAST_CALLS = 50;

/** Makes the interval of a mean narrowest after some 200 calls. */
const RHO_SQUARED = 0.044;

/** What is left for amounts larger than those that were seen: so much of the largest. */
const BEYOND = 0.5;

/**
 * The same of a mean of amounts that are not negative and may be of any size, for which there is none that holds whatever they are: it goes
 * by how far those lie apart that were seen, as the central limit theorem has it, and leaves room for rare large ones, as bounds after Bernstein do. `undefined`
 * of few calls.
 *
 * Sources: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences" (2024), theorem 2.2;
 * Maurer and Pontil, "Empirical Bernstein bounds" (2009). That it holds is tried out in the tests, with amounts as skewed as costs are.
 */
export function meanInterval(calls: number, sum: number, { squares, most }: Spread): Interval | undefined {
  if (calls < LEAST_CALLS) return undefined;
  const mean = sum / calls;
  const variance = Math.max(0, (squares - calls * mean * mean) / (calls - 1));
  const growth = calls * RHO_SQUARED + 1;
  const doubt = Math.log(Math.sqrt(growth) / MISSED);
  const width =
    Math.sqrt((variance * 2 * growth * doubt) / (calls * calls * RHO_SQUARED)) +
    (BEYOND * most * doubt) / calls;
  return { low: Math.max(0, mean - width), high: mean + width };
}

/** Where from the inside to the outside it is outside first. */
function edgeBetween(inside: number, outside: number, isOutside: (share: number) => boolean): number {
  let [near, far] = [inside, outside];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (near + far) / 2;
    if (isOutside(middle)) far = middle;
    else near = middle;
  }
  return near;
}

/** The logarithm of what all bets on shares together have come to, but for what is staked against. */
function logMixed(happened: number, misses: number): number {
  return logBeta(happened + 0.5, misses + 0.5) - Math.log(Math.PI);
}

function isRefuted(mixed: number, happened: number, misses: number, share: number): boolean {
  return mixed - timesLog(happened, share) - timesLog(misses, 1 - share) > -Math.log(MISSED);
}

/** 0 · ln 0 is 0 here. */
function timesLog(count: number, share: number): number {
  return count === 0 ? 0 : count * Math.log(share);
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** Stirling's series, to more than ten digits from 8 on; below by Γ(x + 1) = x Γ(x). */
function logGamma(value: number): number {
  let x = value;
  let product = 1;
  for (; x < 8; x += 1) product *= x;
  const square = 1 / (x * x);
  const series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / x;
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series - Math.log(product);
}
