import type { CallerDialectName } from '../dialects/dialect.ts';
import type { RateLeft, Refusal, Reservation } from './reservation.ts';
import { sliceAt, sliceExpiry } from './window.ts';

type Rate = 'requests' | 'tokens';

/** How a family of clients is told what is left of its rates. */
interface HeaderForm {
  /** The names of a rate's headers: its limit, what is left of it, when it is whole again. */
  names: Readonly<Record<Rate, readonly [limit: string, remaining: string, reset: string]>>;
  writeReset(resetAtMs: number, nowMs: number): string;
}

/** Source: OpenAI, "Rate limits" guide: `x-ratelimit-reset-requests: 1s`, `x-ratelimit-reset-tokens: 6m0s`. */
const OPENAI: HeaderForm = {
  names: {
    requests: ['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'],
    tokens: ['x-ratelimit-limit-tokens', 'x-ratelimit-remaining-tokens', 'x-ratelimit-reset-tokens'],
  },
  writeReset: (resetAtMs, nowMs) => writeDuration(resetAtMs - nowMs),
};

/** Source: Anthropic, "Rate limits", response headers: the reset is a time in RFC 3339. */
const ANTHROPIC: HeaderForm = {
  names: {
    requests: [
      'anthropic-ratelimit-requests-limit',
      'anthropic-ratelimit-requests-remaining',
      'anthropic-ratelimit-requests-reset',
    ],
    tokens: [
      'anthropic-ratelimit-tokens-limit',
      'anthropic-ratelimit-tokens-remaining',
      'anthropic-ratelimit-tokens-reset',
    ],
  },
  writeReset: (resetAtMs) => `${new Date(resetAtMs).toISOString().slice(0, 19)}Z`,
};

/** Adds what is left of the caller's rates to the headers of an answer, as it was when the call began. */
export function pushRateHeaders(
  headers: string[],
  dialect: CallerDialectName,
  reservation: Reservation,
): void {
  const { requests, tokens, atMs } = reservation;
  if (!requests && !tokens) return;
  const form = dialect === 'messages' ? ANTHROPIC : OPENAI;
  const reset = writeReset(form, atMs);
  if (requests) pushRate(headers, form.names.requests, requests, reset);
  if (tokens) pushRate(headers, form.names.tokens, tokens, reset);
}

/** Adds what is left of the rate that refuses a call to the headers of the refusal. Of a model's nothing is told, as in answers. */
export function pushRefusedRate(headers: string[], dialect: CallerDialectName, refusal: Refusal): void {
  const { limit, available, atMs } = refusal;
  const { kind, scope, max } = limit;
  if (scope.kind === 'model' || (kind !== 'requests' && kind !== 'tokens')) return;
  const form = dialect === 'messages' ? ANTHROPIC : OPENAI;
  const left = { limit: max, remaining: Math.max(0, available) };
  pushRate(headers, form.names[kind], left, writeReset(form, atMs));
}

function pushRate(
  headers: string[],
  [limitName, remainingName, resetName]: HeaderForm['names'][Rate],
  { limit, remaining }: RateLeft,
  reset: string,
): void {
  headers.push(limitName, String(limit), remainingName, String(remaining), resetName, reset);
}

/** The call itself was counted just then, so everything has come back when it no longer counts. */
function writeReset(form: HeaderForm, nowMs: number): string {
  return form.writeReset(sliceExpiry(sliceAt(nowMs)), nowMs);
}

/** As Go writes durations, and so OpenAI: `120ms`, `1.5s`, `1m2s`. */
export function writeDuration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms) / 1000;
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}m${Number((seconds - 60 * minutes).toFixed(3))}s`;
}
