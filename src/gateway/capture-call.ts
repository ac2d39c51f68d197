import type { AnswerTap } from '../captures/capture.ts';
import { DIALECTS } from '../dialects/registry.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';

/** Hands over the prompt and the answer of a call that is over, as its tenant wants. */
export function captureCall(gateway: Gateway, call: Call, answer: AnswerTap): void {
  const { id, startedAt, caller, door, stream, body } = call;
  if (!caller.capture) return;
  gateway.captures.keep({
    ...{ id, tenant: caller.tenant, startedAt, policy: caller.capture, stream, answer },
    form: door.answerForm ?? (door.dialect === DIALECTS[door.dialect.name] ? door.dialect.name : null),
    request: body,
  });
}
