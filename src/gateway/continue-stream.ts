import type { GatewayError } from '../conversation/gateway-error.ts';
import type { AttemptMaker } from './attempt-maker.ts';
import type { BegunAnswer } from './begun-answer.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { headOf } from './identify-answer.ts';
import type { CommittingReceiver } from './receiver.ts';
import { toGatewayError } from './respond.ts';
import { settleCall } from './settle.ts';
import { endStream } from './stream-commit.ts';

/**
 * What another attempt is to go on with behind one that failed when bytes of the answer had gone to the client: where its model's
 * config asks for it, and the answer and the plan let it. `receiver`: that of the attempt, where it had one; `hasSaid`: something of the
 * answer came by it.
 */
export function begunAnswer(
  call: Call,
  maker: AttemptMaker,
  receiver: CommittingReceiver | undefined,
  { failure, hasSaid }: { failure: GatewayError; hasSaid: boolean },
): BegunAnswer | undefined {
  if (!call.committed || !call.continues) return undefined;
  // Of an attempt that said nothing the client has what there was before.
  if (!receiver) return call.begun;
  return maker.continues?.(failure, hasSaid) === true ? receiver.begun?.() : undefined;
}

/** Ends an answer that nobody goes on with. */
export function endBegun(gateway: Gateway, call: Call, begun: BegunAnswer, thrown: unknown): void {
  const error = toGatewayError(gateway, call, thrown);
  const { id, target, keptOpen } = call;
  keptOpen?.dispose();
  const { kind, message: reason } = error;
  gateway.log.warn({ call: id, target: target?.name, kind, reason }, 'an answer broke off');
  settleCall(gateway, call, kind, 200);
  endStream(gateway, call, begun.push({ type: 'error', error, head: headOf(call) }));
}
