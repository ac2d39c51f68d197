/**
 * How long `retry-after` says to wait, in milliseconds: it holds seconds, of which some servers write fractions, or a date (RFC 9110
 * 10.2.3). Of several the longest counts. `undefined`: it says nothing that can be read, or a date that is past: as far as our clock goes no
 * time is named. `now`: Unix milliseconds.
 */
export function readRetryAfter(header: unknown, now: number): number | undefined {
  const seconds = readAmount(header);
  if (seconds !== undefined) return seconds * 1_000;
  let longest = 0;
  for (const line of Array.isArray(header) ? header : [header]) {
    const date = typeof line === 'string' && TIME_OF_DAY.test(line) ? Date.parse(line) : Number.NaN;
    if (date - now > longest) longest = date - now;
  }
  return longest > 0 ? longest : undefined;
}

/** Of each form of a date (RFC 9110 5.6.7). `Date.parse` makes dates of numbers, too. */
const TIME_OF_DAY = /\d:\d\d:\d\d/;

/** A header that is an amount, as `retry-after-ms` (OpenAI's) is one of milliseconds. Where it is there several times the largest counts. */
export function readAmount(header: unknown): number | undefined {
  const lines = Array.isArray(header) ? header.join() : header;
  // Nearly always there is one.
  if (typeof lines !== 'string' || !/^\d/.test(lines)) return undefined;
  let largest: number | undefined;
  for (const amount of lines.split(',')) {
    if (!/^ *\d{1,15}(?:\.\d+)? *$/.test(amount)) return undefined;
    largest = Math.max(largest ?? 0, Number(amount));
  }
  return largest;
}

/** How units of time are written, in milliseconds. */
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration as `6m0s` or `20ms` (Go's), in milliseconds. `undefined`: it is none. */
export function readDuration(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:\.\d+)?(?:ms|[smhd]))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, amount, unit = ''] of text.matchAll(/([\d.]+)(ms|[smhd])/g)) {
    ms += Number(amount) * (UNITS[unit] ?? 0);
  }
  return ms;
}

/** Messages hold what they are about first; what is behind this says nothing of when to come back. */
const LONGEST_MESSAGE = 4_000;

/** What is called longer than that is no time to wait. */
const LONGEST_SAID_MS = 31 * 86_400_000;

const SAID = /\b(?:try again|retry) (?:in|after) (?=\d)/gi;
/** An amount of a unit, of which several may follow each other: `1m2.5s`, `1 minute and 30 seconds`. */
const AMOUNT =
  /(\d{1,9})(\.\d{1,12})? ?(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])(?: ?(?:,|and)? ?(?=\d))?/iy;

/**
 * How long the words of a refusal say to wait, in milliseconds; `undefined`: they say nothing of it. Where they say it twice, the first
 * counts.
 *
 * Sources: "Please try again in 9.816s." (also `174ms`, `1m2.5s`, `7m12s`: OpenAI, Groq), "Please retry after 45 seconds." and "Try again in 50
 * seconds." (Azure), "Please retry in 17.393s." (Gemini).
 */
export function readWaitInWords(message: string): number | undefined {
  const text = message.slice(0, LONGEST_MESSAGE);
  for (const { index, 0: words } of text.matchAll(SAID)) {
    const ms = readAmounts(text, index + words.length);
    if (ms !== undefined) return ms;
  }
  return undefined;
}

function readAmounts(text: string, from: number): number | undefined {
  let ms = 0;
  AMOUNT.lastIndex = from;
  for (let found = AMOUNT.exec(text); found; found = AMOUNT.exec(text)) {
    const [, whole = '', fraction = '', unit = ''] = found;
    ms += Number(whole + fraction) * unitMs(unit.toLowerCase());
  }
  return ms > 0 && ms <= LONGEST_SAID_MS ? Math.ceil(ms) : undefined;
}

function unitMs(unit: string): number {
  return UNITS[unit.startsWith('mil') ? 'ms' : unit] ?? UNITS[unit.charAt(0)] ?? 0;
}
