import { completionEvents } from '../conversation/collect.ts';
import type { Completion } from '../conversation/completion.ts';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import type { StreamEncoderOptions, UpstreamDialect } from '../dialects/dialect.ts';
import { servedTier } from '../dialects/tiers.ts';
import { endsOf } from './answer-ends.ts';
import { mayOtherAnswer, ofAnswering } from './answering-model.ts';
import { inTier } from './asked-tier.ts';
import { blockedCompletion } from './blocked-answer.ts';
import type { Call } from './call.ts';
import { estimateAnswer, estimateInput } from './estimate-usage.ts';
import { identifyAnswer } from './identify-answer.ts';
import { repeatedRequest } from './keep-answer.ts';
import type { TranslateAnswer } from './translate-body.ts';

/** What a whole answer in a provider's dialect becomes for the caller of a call. */
export function translateGenerated(
  call: Call,
  dialect: UpstreamDialect,
  answer: JsonValue,
): ReturnType<TranslateAnswer> {
  const caller = call.door.dialect;
  const completion = dialect.decodeResponse(answer);
  const blocked = call.divertsBlocked ? blockedCompletion(completion) : undefined;
  if (blocked) throw blocked;
  if (call.tap) call.ends = endsOf(completion);
  if (completion.usage && mayOtherAnswer(call)) {
    completion.usage = ofAnswering(call, completion.usage, completion.model);
  }
  identifyAnswer(completion, call);
  const usage =
    completion.usage ?? inTier(call, estimateAnswer(call.body.length, completion), servedTier(answer));
  // Clients of every dialect count on being told something.
  completion.usage = usage;
  call.droppedOfAnswer = [];
  if (call.stream) return { ...streamText(call, completion), usage };
  if (caller.writeResponse) {
    const text = caller.writeResponse({ ...completion, usage }, call.droppedOfAnswer);
    return { text, usage };
  }
  const written = caller.encodeResponse(completion, repeatedRequest(call), call.droppedOfAnswer);
  return { text: JSON.stringify(written), written, usage };
}

/** What the encoder of a call's stream is told. */
export function streamOptions(call: Call): StreamEncoderOptions {
  return {
    includeUsage: call.includeUsage,
    request: repeatedRequest(call),
    expectedInput: estimateInput(call.body.length),
    dropped: call.droppedOfAnswer,
  };
}

/** A server that does not stream answered a call for a stream: the client gets its stream all the same. */
function streamText(call: Call, completion: Completion): { text: string; written: JsonObject | undefined } {
  const encoder = call.door.dialect.streamEncoder(streamOptions(call));
  let text = '';
  for (const event of completionEvents(completion)) text += encoder.push(event);
  return { text, written: encoder.answer };
}
