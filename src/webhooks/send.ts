import { readRetryAfter } from '../conversation/retry-after.ts';
import type { SignedHeaders } from './sign.ts';

/** What became of an attempt to deliver. */
export type Sent =
  | { ok: true }
  | { ok: false; reason: string /** It is not wanted any more. */; gone: boolean; retryAfterMs: number };

/** The specification names 15 to 30 s. */
const TIMEOUT_MS = 15_000;

/**
 * Posts a delivery once. A redirect is a failure and not followed: what is signed goes where the configuration says, and nowhere else. Of
 * the answer nothing but its status is told, so that nobody can read by it what stands at an address.
 *
 * @param now Unix milliseconds
 */
export async function sendDelivery(
  fetch: typeof globalThis.fetch,
  url: string,
  headers: SignedHeaders,
  body: string,
  now: number,
  stopped: AbortSignal,
): Promise<Sent> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'fairlead' },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([stopped, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    // What it says beyond its status is not read: it may be without end.
    await response.body?.cancel();
    if (response.ok) return { ok: true };
    const { status } = response;
    const retryAfterMs = readRetryAfter(response.headers.get('retry-after'), now) ?? 0;
    return { ok: false, reason: `answered ${status}`, gone: status === 410, retryAfterMs };
  } catch (error) {
    return { ok: false, reason: describe(error), gone: false, retryAfterMs: 0 };
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if (error.name === 'TimeoutError') return `did not answer within ${TIMEOUT_MS / 1000} s`;
  const { cause } = error;
  const code =
    typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : error.name;
  return `could not be reached (${code})`;
}
