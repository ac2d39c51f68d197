import type { Completion, FinishReason } from '../../conversation/completion.ts';
import type { Part, ReasoningPart } from '../../conversation/conversation.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { NO_USAGE } from '../../conversation/usage.ts';
import { nameFittedFinish, readFinishReason, writeFinishReason } from '../finish-reasons.ts';
import { nameForeignFields } from '../foreign-answers.ts';
import { decodeBlock, opaque, type Reject } from './decode-blocks.ts';
import { encodeAnswerPart } from './encode-answer.ts';
import { decodeErrorEvent } from './errors.ts';
import { extraOf, ownFields, unknownFields } from './fields.ts';
import { ToolUses } from './finish.ts';
import { explainedRefusal } from './refusal-words.ts';
import { decodeUsage, encodeUsage, usageExtra } from './usage.ts';
import { showsThinking } from './withheld-thinking.ts';

export const MESSAGE_FIELDS: ReadonlySet<string> = new Set([
  'id',
  'type',
  'role',
  'model',
  'content',
  'stop_reason',
  'stop_sequence',
  'usage',
]);

/** An answer that is not in the dialect. */
export const rejectAnswer: Reject = (expected, path) =>
  new GatewayError(
    'upstream_unavailable',
    `The provider's answer is not in the form of the Messages API: '${path}' is not ${expected}.`,
  );

export function decodeResponse(body: JsonValue): Completion {
  if (!isObject(body)) throw rejectAnswer('an object', 'body');
  if (body['type'] === 'error') throw decodeErrorEvent(body);
  const content = body['content'];
  if (!Array.isArray(content)) throw rejectAnswer('a list', 'content');

  const parts = content.map((block, index) => decodeAnswerBlock(block, `content[${index}]`));
  const wireUsage = isObject(body['usage']) ? body['usage'] : undefined;
  const usage = wireUsage && decodeUsage(wireUsage);
  const stopReason = typeof body['stop_reason'] === 'string' ? body['stop_reason'] : undefined;
  const stopSequence = body['stop_sequence'];
  const toolUses = new ToolUses();
  for (const block of content) toolUses.addBlock(block);
  const refusal = explainedRefusal(body['stop_details']);
  return {
    id: typeof body['id'] === 'string' ? body['id'] : '',
    model: typeof body['model'] === 'string' ? body['model'] : '',
    choices: [
      {
        index: 0,
        parts: refusal ? [...parts, refusal] : parts,
        finish: toolUses.finish(stopReason === undefined ? 'stop' : readFinishReason('messages', stopReason)),
        ...(typeof stopSequence === 'string' ? { stopSequence } : {}),
      },
    ],
    ...(usage ? { usage } : {}),
    ...extraOf(answerExtra(unknownFields(body, MESSAGE_FIELDS), wireUsage)),
  };
}

/** Results are given to a model, not by one. */
function decodeAnswerBlock(block: JsonValue, path: string): Part {
  const part = decodeBlock(block, path, rejectAnswer);
  return part.type === 'tool_result' && isObject(block) ? opaque(block) : part;
}

/** Everything of an answer that has no neutral word, by its top-level field. */
export function answerExtra(fields: JsonObject, wireUsage: JsonObject | undefined): JsonObject {
  const usage = wireUsage ? usageExtra(wireUsage) : {};
  return Object.keys(usage).length > 0 ? { ...fields, usage } : fields;
}

/** Other dialects say `stop` of an answer that refuses; this one has a word for it. */
export function stopReason(finish: FinishReason, refuses: boolean): string {
  return writeFinishReason('messages', finish === 'stop' && refuses ? 'refusal' : finish);
}

function isRefusal(part: Part): boolean {
  return part.type === 'refusal';
}

function encodeContent(parts: readonly Part[], showsThinking: boolean, dropped: string[]): JsonObject[] {
  const withheld: ReasoningPart[] = [];
  return parts.flatMap((part) => {
    if (part.type === 'reasoning' && !showsThinking) {
      withheld.push(part);
      return [];
    }
    return encodeAnswerPart(part, dropped, part.type === 'tool_call' ? withheld.splice(0) : []);
  });
}

/** The first choice: this dialect has no others, and a request in it never asks for more. */
export function encodeResponse(
  completion: Completion,
  request?: JsonObject,
  dropped: string[] = [],
): JsonObject {
  nameForeignFields(dropped, completion, 'messages');
  const choice = completion.choices.find(({ index }) => index === 0);
  const finish = choice?.finish ?? 'other';
  nameFittedFinish(dropped, 'messages', finish, 'stop_reason');
  const { usage: usageFields, ...fields } = ownFields(completion.extra);
  return {
    id: completion.id,
    type: 'message',
    role: 'assistant',
    model: completion.model,
    content: encodeContent(choice?.parts ?? [], showsThinking(request), dropped),
    stop_reason: stopReason(finish, choice?.parts.some(isRefusal) ?? false),
    stop_sequence: choice?.stopSequence ?? null,
    ...fields,
    usage: encodeUsage(completion.usage ?? NO_USAGE, isObject(usageFields) ? usageFields : {}),
  };
}
