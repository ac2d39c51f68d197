import { completionEvents } from '../conversation/collect.ts';
import type { Completion } from '../conversation/completion.ts';
import type { SavedUse } from '../usage/record.ts';
import { admitCall } from './admit.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { followCall } from './handle-call.ts';
import { reserveRequest } from './reserve-quota.ts';
import { beginStream, failCall, sendJson } from './respond.ts';
import { settleCall } from './settle.ts';
import { endStream } from './stream-commit.ts';

/**
 * The way of a call that an earlier answer answers: it asks nobody, so it takes a request of its limits and neither tokens nor money, and
 * costs nothing. Whether its caller may call the model was asked before.
 */
export function answerKept(gateway: Gateway, call: Call, completion: Completion, saved: SavedUse): void {
  followCall(gateway, call);
  const fail = (thrown: unknown) => failCall(gateway, call, thrown);
  try {
    admitCall(call);
    call.saved = saved;
    const waiting = reserveRequest(gateway, call);
    if (waiting) waiting.then(() => send(gateway, call, completion)).catch(fail);
    else send(gateway, call, completion);
  } catch (thrown) {
    fail(thrown);
  }
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
