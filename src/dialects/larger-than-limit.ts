import type { UpstreamFailure } from './dialect.ts';

/** The reason of an attempt whose call is larger than all that its account may have within the time of a limit. */
export const LARGER_THAN_LIMIT = 'larger_than_limit';

/** Statuses that say so; inside a stream there is none. */
const STATUSES: readonly (number | undefined)[] = [413, 429, undefined];

/**
 * How providers say what a limit allows and what a call needs of it. OpenAI (429): "Request too large for gpt-4o in organization … on tokens per
 * min (TPM): Limit 30000, Requested 31538. The input or output tokens must be reduced in order to run successfully."; Groq (413): "Request
 * too large for model `…` … on tokens per minute (TPM): Limit 12000, Requested 30123, please reduce your message size and try again.", and (429)
 * "Limit 7000, Used 0, Requested ~12903. Please try again in 50.6s."
 */
const NEEDED =
  /\btokens per (?:min|minute|hour|day)\b.{0,20}: Limit (\d+), (?:Used \d+, )?Requested ~?(\d+)/i;

/** Another Fairlead's words for the same. */
const OF_FAIRLEAD = /^The request is too large: .{0,300} has a limit of \d+ tokens per minute\b/;

/** Whether a call was refused that no wait would make fit: smaller ones do. */
export function saysLargerThanLimit(
  status: number | undefined,
  { message }: Pick<UpstreamFailure, 'message'>,
): boolean {
  if (!STATUSES.includes(status)) return false;
  const [, limit, needed] = NEEDED.exec(message) ?? [];
  return Number(needed) > Number(limit) || OF_FAIRLEAD.test(message);
}
