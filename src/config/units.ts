/** The words with units of the config language, read into plain numbers. */

export type Milliseconds = number;
export type Bytes = number;
/** Milliseconds since 1970, UTC. */
export type UnixMs = number;

const MILLISECONDS_PER: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const BYTES_PER: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** `500ms`, `30s`, `1.5h`, `7d`. A number alone is refused: nobody can tell which unit was meant. */
export const DURATION_PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** `512b`, `16kb`, `32mb`, `1gb`, in powers of 1024. */
export const SIZE_PATTERN = /^(\d+(?:\.\d+)?)([kKmMgG]?[bB])$/;

/** A day (its first moment, UTC), or a moment with its zone. */
export const DATE_PATTERN =
  /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** Milliseconds, rounded to whole ones; `undefined` where the text is no duration. */
export function parseDuration(text: string): Milliseconds | undefined {
  return scale(DURATION_PATTERN.exec(text), MILLISECONDS_PER);
}

/** Whole bytes; `undefined` where the text is no size. */
export function parseSize(text: string): Bytes | undefined {
  return scale(SIZE_PATTERN.exec(text.toLowerCase()), BYTES_PER);
}

/** `undefined` where the text is no date, also for days that the calendar does not have (`2027-02-30`). */
export function parseDate(text: string): UnixMs | undefined {
  const day = DATE_PATTERN.exec(text)?.[1];
  if (day === undefined) return undefined;
  const startOfDay = Date.parse(day);
  // Date.parse moves 30 February into March instead of refusing it.
  if (Number.isNaN(startOfDay) || !new Date(startOfDay).toISOString().startsWith(day)) return undefined;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}

function scale(match: RegExpExecArray | null, factors: Readonly<Record<string, number>>): number | undefined {
  const [, amount, unit] = match ?? [];
  const factor = unit === undefined ? undefined : factors[unit];
  if (amount === undefined || factor === undefined) return undefined;
  const scaled = Math.round(Number(amount) * factor);
  return Number.isSafeInteger(scaled) ? scaled : undefined;
}
