import { GatewayError } from '../conversation/gateway-error.ts';
import type { Room } from './room.ts';

/** Why a call gets no place. */
export type RefusalReason =
  /** As many wait as may. */
  | 'full'
  /** It waited, and made way for another. */
  | 'made_way'
  /** Its time is up. */
  | 'waited'
  /** Its time would be up before it had its turn. */
  | 'in_vain';

/** Where nothing is known of how fast places become free. */
const [LEAST_RETRY_MS, LONGEST_RETRY_MS] = [1_000, 60_000];

/**
 * The error that a caller is told, with the time that those who wait already will take, and up to as much again, so that not
 * all who were refused come back at once. How many wait would tell of other tenants.
 *
 * `isModels`: the bound of the room's model is the one that holds the call back; else that of all calls. `waitMs`: how long it waited, or
 * how long it would have.
 */
export function describeRefusal(
  reason: RefusalReason,
  { model, paceMs, waiting }: Room,
  isModels: boolean,
  waitMs: number,
  random: () => number,
): GatewayError {
  const takesMs = Math.min(Math.max(paceMs * (waiting + 1), LEAST_RETRY_MS), LONGEST_RETRY_MS);
  const retryAfterMs = Math.round(Math.min(takesMs * (1 + random()), LONGEST_RETRY_MS));
  const whose = isModels ? `of the model '${model}'` : 'at this gateway';
  const what = {
    full: `Too many calls ${whose} wait already.`,
    made_way: `Too many calls ${whose} wait, and others go before this one.`,
    in_vain: `No place ${whose} is likely to become free within the ${waitMs / 1000} s that the call has.`,
    waited: `The call waited ${waitMs / 1000} s, and no place ${whose} became free.`,
  }[reason];
  return new GatewayError('overloaded', `${what} Try again in ${Math.ceil(retryAfterMs / 1000)} s.`, {
    code: isModels ? 'model_overloaded' : 'gateway_overloaded',
    retryAfterMs,
  });
}
