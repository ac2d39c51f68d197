import { completionEvents } from '../conversation/collect.ts';
import type { Completion } from '../conversation/completion.ts';
import type { SavedUse } from '../usage/record.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { reserveRequest } from './reserve-quota.ts';
import { beginStream, sendJson } from './respond.ts';
import { settleCall, setUsageAside } from './settle.ts';
import { endStream } from './stream-commit.ts';

/** An answer that was given before, and what giving it again saves. */
export interface EarlierAnswer {
  completion: Completion;
  saved: SavedUse;
}

/** What is done of a call when it is admitted, and may take its time. Gives an earlier answer where that one answers the call. */
export type Prepare = (call: Call) => Promise<EarlierAnswer | undefined>;

/**
 * Answers a call with an earlier answer: it asks nobody, so it takes a request of its limits and neither tokens nor money, and costs
 * nothing but what attempts of before used, of a version that gave no answer. Whether its caller may call the model was asked before.
 *
 * @throws GatewayError `rate_limited`, `overloaded`
 */
export async function answerKept(
  gateway: Gateway,
  call: Call,
  { completion, saved }: EarlierAnswer,
): Promise<void> {
  if (call.cancelled || call.settled) return;
  if (!call.reservation) await reserveRequest(gateway, call);
  leaveAttempts(gateway, call);
  // One that is refused saves nothing.
  call.saved = saved;
  send(gateway, call, completion);
}

/** Whoever was asked before has not answered. */
function leaveAttempts(gateway: Gateway, call: Call): void {
  if (call.usage) setUsageAside(gateway, call, call.usage);
  call.target = undefined;
}

function send(gateway: Gateway, call: Call, completion: Completion): void {
  if (call.cancelled || call.settled) return;
  const { dialect } = call.door;
  if (!call.stream) {
    const text =
      dialect.writeResponse?.(completion, []) ?? JSON.stringify(dialect.encodeResponse(completion));
    sendJson(gateway, call, Buffer.from(text));
    return;
  }
  const encoder = dialect.streamEncoder({ includeUsage: call.includeUsage });
  let text = '';
  for (const event of completionEvents(completion)) text += encoder.push(event);
  settleCall(gateway, call, 'ok', 200);
  beginStream(call);
  endStream(gateway, call, text);
}
