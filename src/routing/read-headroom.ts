import { readDuration } from '../conversation/retry-after.ts';

/** How much of its limits an account has left at a provider, by what an answer says. */
export interface Headroom {
  /** Of the limit that is nearest, from 0 to 1. */
  share: number;
  /** In how many milliseconds that limit is whole again. */
  resetMs: number;
}

type Headers = Record<string, string | string[] | undefined>;

/**
 * What may stand at the end of the headers' names. Sources: OpenAI ("Rate limits in headers"), whose names Groq, Azure, xAI and others have,
 * too; Cerebras ("Rate limits"), which names the time as well; Mistral (mistralai/client-ts#169), which names it and has a word of its own for
 * requests; OpenRouter, Together and others have one limit, without a name.
 */
const LIMITED = [
  ...['-requests', '-tokens'].flatMap((what) => [what, `${what}-minute`, `${what}-hour`, `${what}-day`]),
  ...['-req-minute', '-tokens-month'],
  '',
];
const OPENAI = [
  ...LIMITED.map((what) => ({
    limit: `x-ratelimit-limit${what}`,
    remaining: `x-ratelimit-remaining${what}`,
    reset: `x-ratelimit-reset${what}`,
  })),
  // As the IETF's draft had them ("RateLimit header fields for HTTP", up to its sixth version).
  { limit: 'ratelimit-limit', remaining: 'ratelimit-remaining', reset: 'ratelimit-reset' },
];
/** Anthropic ("Response headers" of "Rate limits"). */
const ANTHROPIC = ['requests', 'tokens', 'input-tokens', 'output-tokens'].map((what) => ({
  limit: `anthropic-ratelimit-${what}-limit`,
  remaining: `anthropic-ratelimit-${what}-remaining`,
  reset: `anthropic-ratelimit-${what}-reset`,
}));

const ALL = [...OPENAI, ...ANTHROPIC];

/** Where nothing is said of the reset: limits are a minute's. */
const UNSAID_RESET_MS = 60_000;

/**
 * `undefined`: the answer says nothing of it. `now`: Unix milliseconds. `noteLargest` is told what is left of a limit whose size is not
 * said (Azure's), and gives the most that was: what is left is a share of that.
 */
export function readHeadroom(
  headers: Headers,
  now: number,
  noteLargest?: (limit: string, left: number) => number,
): Headroom | undefined {
  const names = headers['anthropic-ratelimit-requests-limit'] === undefined ? OPENAI : ANTHROPIC;
  let nearest: Headroom | undefined;
  for (const { limit, remaining, reset } of names) {
    const left = readNumber(headers[remaining]);
    if (left === undefined) continue;
    const isSaid = headers[limit] !== undefined;
    const most = isSaid ? readNumber(headers[limit]) : noteLargest?.(remaining, left);
    // A limit of nothing is none that a share could be had of; one of which nothing was ever left is used up.
    if (most === undefined || (most === 0 && isSaid)) continue;
    const share = most === 0 ? 0 : Math.min(left / most, 1);
    if (!nearest || share < nearest.share) {
      nearest = { share, resetMs: readReset(headers[reset], now) ?? UNSAID_RESET_MS };
    }
  }
  return nearest;
}

/**
 * When the limits that are used up are whole again, in milliseconds from now: of several the last. `undefined`: none is said to be used up,
 * or nothing is said of its reset. The reset of a limit that has something left says nothing of when the next call fits.
 */
export function readResetMs(headers: Headers, now: number): number | undefined {
  let latest: number | undefined;
  for (const { remaining, reset } of ALL) {
    if (readNumber(headers[remaining]) !== 0) continue;
    const resetMs = readReset(headers[reset], now);
    // A limit that is whole at once did not refuse anything.
    if (resetMs !== undefined && resetMs > (latest ?? 0)) latest = resetMs;
  }
  return latest;
}

/** Of what is overdrawn nothing is left. */
function readNumber(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^-?\d{1,15}(?:\.\d{1,9})?$/.test(header)
    ? Math.max(Number(header), 0)
    : undefined;
}

/**
 * OpenAI says `6m0s` or `20ms`; others a number of seconds; Anthropic a time (RFC 3339); OpenRouter Unix milliseconds (thirteen digits), as
 * others do seconds (ten).
 */
function readReset(header: string | string[] | undefined, now: number): number | undefined {
  if (typeof header !== 'string') return undefined;
  if (/^\d{1,9}(?:\.\d+)?$/.test(header)) return Number(header) * 1_000;
  if (/^\d{10}$/.test(header)) return Math.max(Number(header) * 1_000 - now, 0);
  if (/^\d{13}$/.test(header)) return Math.max(Number(header) - now, 0);
  const duration = readDuration(header);
  if (duration !== undefined) return duration;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(at - now, 0);
}
