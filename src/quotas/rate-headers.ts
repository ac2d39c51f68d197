import type { CallerDialectName } from '../dialects/dialect.ts';
import type { RateLeft, Refusal, Reservation } from './reservation.ts';
import { sliceAt, sliceExpiry } from './window.ts';

/** How a family of clients is told what is left of its rates. */
interface HeaderForm {
  limit(what: 'requests' | 'tokens'): string;
  remaining(what: 'requests' | 'tokens'): string;
  reset(what: 'requests' | 'tokens'): string;
  /** When a rate is whole again. */
  writeReset(resetAtMs: number, nowMs: number): string;
}

/** Source: OpenAI, "Rate limits" guide: `x-ratelimit-reset-requests: 1s`, `x-ratelimit-reset-tokens: 6m0s`. */
const OPENAI: HeaderForm = {
  limit: (what) => `x-ratelimit-limit-${what}`,
  remaining: (what) => `x-ratelimit-remaining-${what}`,
  reset: (what) => `x-ratelimit-reset-${what}`,
  writeReset: (resetAtMs, nowMs) => writeDuration(resetAtMs - nowMs),
};

/** Source: Anthropic, "Rate limits", response headers: the reset is a time in RFC 3339. */
const ANTHROPIC: HeaderForm = {
  limit: (what) => `anthropic-ratelimit-${what}-limit`,
  remaining: (what) => `anthropic-ratelimit-${what}-remaining`,
  reset: (what) => `anthropic-ratelimit-${what}-reset`,
  writeReset: (resetAtMs) => `${new Date(resetAtMs).toISOString().slice(0, 19)}Z`,
};

/** Adds what is left of the caller's rates to the headers of an answer, as it was when the call began. */
export function pushRateHeaders(
  headers: string[],
  dialect: CallerDialectName,
  reservation: Reservation,
): void {
  const form = dialect === 'messages' ? ANTHROPIC : OPENAI;
  const { requests, tokens, atMs } = reservation;
  if (requests) pushRate(headers, form, 'requests', requests, atMs);
  if (tokens) pushRate(headers, form, 'tokens', tokens, atMs);
}

/** Adds what is left of the rate that refuses a call to the headers of the refusal. Of a model's nothing is told, as in answers. */
export function pushRefusedRate(headers: string[], dialect: CallerDialectName, refusal: Refusal): void {
  const { limit, available, atMs } = refusal;
  const { kind, scope, max } = limit;
  if (scope.kind === 'model' || (kind !== 'requests' && kind !== 'tokens')) return;
  const form = dialect === 'messages' ? ANTHROPIC : OPENAI;
  pushRate(headers, form, kind, { limit: max, remaining: Math.max(0, available) }, atMs);
}

/** The call itself was counted just then, so everything has come back when it no longer counts. */
function pushRate(
  headers: string[],
  form: HeaderForm,
  what: 'requests' | 'tokens',
  { limit, remaining }: RateLeft,
  nowMs: number,
): void {
  const resetAtMs = sliceExpiry(sliceAt(nowMs));
  headers.push(form.limit(what), String(limit));
  headers.push(form.remaining(what), String(remaining));
  headers.push(form.reset(what), form.writeReset(resetAtMs, nowMs));
}

/** As Go writes durations, and so OpenAI: `120ms`, `1.5s`, `1m2s`. */
export function writeDuration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms) / 1000;
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}m${Number((seconds - 60 * minutes).toFixed(3))}s`;
}
