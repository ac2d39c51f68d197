/**
 * How long `retry-after` says to wait, in milliseconds: it holds seconds, of which some servers write fractions, or a date (RFC 9110
 * 10.2.3). `undefined`: it says nothing that can be read. `now`: Unix milliseconds.
 */
export function readRetryAfter(header: unknown, now: number): number | undefined {
  if (typeof header !== 'string') return undefined;
  const seconds = readAmount(header);
  if (seconds !== undefined) return seconds * 1_000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** A header that is an amount, as `retry-after-ms` (OpenAI's) is one of milliseconds. */
export function readAmount(header: unknown): number | undefined {
  return typeof header === 'string' && /^\d{1,9}(\.\d+)?$/.test(header) ? Number(header) : undefined;
}
