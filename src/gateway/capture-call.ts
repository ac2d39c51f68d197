import type { AnswerForm, AnswerTap } from '../captures/capture.ts';
import { DIALECTS } from '../dialects/registry.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';

/** Hands over the prompt and the answer of a call that is over, as its tenant wants. */
export function captureCall(gateway: Gateway, call: Call, answer: AnswerTap): void {
  const { id, startedAt, caller, stream, body } = call;
  if (!caller.capture) return;
  gateway.captures.keep({
    ...{ id, tenant: caller.tenant, startedAt, policy: caller.capture, stream, answer },
    form: formOf(call),
    request: body,
  });
}

function formOf({ door: { answerForm, dialect }, response }: Call): AnswerForm | null {
  // Errors are JSON, whatever is answered else.
  if (answerForm === 'text' && response.statusCode >= 400) return 'output';
  return answerForm ?? (dialect === DIALECTS[dialect.name] ? dialect.name : null);
}
