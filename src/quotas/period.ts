const MS_PER_HOUR = 3_600_000;
const MS_PER_DAY = 86_400_000;

/** Budgets count from the start of a period to its end. All of them are in UTC; `total` never ends. */
export const PERIODS = {
  hour: (atMs: number) => fixedSpan(atMs, MS_PER_HOUR),
  day: (atMs: number) => fixedSpan(atMs, MS_PER_DAY),
  month: (atMs: number) => monthOf(new Date(atMs)),
  total: () => ({ startMs: 0, endMs: Number.POSITIVE_INFINITY }),
} as const satisfies Record<string, (atMs: number) => Span>;

export type Period = keyof typeof PERIODS;

/** Unix milliseconds; the end is the first that is not in it. */
export interface Span {
  startMs: number;
  endMs: number;
}

function fixedSpan(atMs: number, lengthMs: number): Span {
  const startMs = Math.floor(atMs / lengthMs) * lengthMs;
  return { startMs, endMs: startMs + lengthMs };
}

function monthOf(at: Date): Span {
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  return { startMs: Date.UTC(year, month, 1), endMs: Date.UTC(year, month + 1, 1) };
}
