import { MS_PER_DAY, MS_PER_HOUR } from '../store/usage-sums.ts';

/** From `from` on and before `to`, in Unix milliseconds; without end where one is absent. */
export interface Period {
  from?: number | undefined;
  to?: number | undefined;
}

/** A period in parts that together are all of it, each once. */
export interface Split {
  days: Period[];
  hours: Period[];
  /** What is no whole hour. */
  rest: Period[];
}

/** Splits a period into whole days and hours (UTC), as large as they come. */
export function splitPeriod(period: Period): Split {
  const hours = takeWhole(period, MS_PER_HOUR);
  if (!hours.whole) return { days: [], hours: [], rest: hours.rest };
  const days = takeWhole(hours.whole, MS_PER_DAY);
  return { days: days.whole ? [days.whole] : [], hours: days.rest, rest: hours.rest };
}

/** The whole spans of a period, and what is before and behind them. */
function takeWhole({ from, to }: Period, spanMs: number): { whole: Period | undefined; rest: Period[] } {
  const first = from === undefined ? undefined : Math.ceil(from / spanMs) * spanMs;
  const last = to === undefined ? undefined : Math.floor(to / spanMs) * spanMs;
  if (first !== undefined && last !== undefined && first >= last)
    return { whole: undefined, rest: [{ from, to }] };
  const rest: Period[] = [];
  if (from !== first) rest.push({ from, to: first });
  if (to !== last) rest.push({ from: last, to });
  return { whole: { from: first, to: last }, rest };
}
