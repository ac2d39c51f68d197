import type { Choice, Completion, FinishReason } from '../../conversation/completion.ts';
import type { Part, RefusalPart, TextPart } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { encodeUsage } from '../chat/usage.ts';
import { dropPart } from '../dropped-parts.ts';
import { nameFittedFinish, writeFinishReason } from '../finish-reasons.ts';
import { nameForeignFields } from '../foreign-answers.ts';

/** A completion in the old form: text is all that an answer has. Source: OpenAI API reference (completion object). */
export function encodeResponse(
  completion: Completion,
  _request?: JsonObject,
  dropped: string[] = [],
): JsonObject {
  nameForeignFields(dropped, completion, undefined);
  const { id, model, created, choices, usage } = completion;
  for (const { finish } of choices) nameFittedFinish(dropped, 'chat', finish, 'finish_reason');
  return {
    id,
    object: 'text_completion',
    created: created ?? 0,
    model,
    choices: choices.map((choice) => textChoice(choice.index, textOf(choice, dropped), choice.finish)),
    ...(usage ? { usage: encodeUsage(usage) } : {}),
  };
}

/** @param finish absent while more is to come */
export function textChoice(index: number, text: string, finish?: FinishReason): JsonObject {
  const reason = finish === undefined ? null : writeFinishReason('chat', finish);
  return { text, index, logprobs: null, finish_reason: reason };
}

function textOf({ parts }: Choice, dropped: string[]): string {
  let text = '';
  for (const part of parts) {
    if (isText(part)) text += part.text;
    else dropPart(dropped, part);
  }
  return text;
}

export function isText(part: Part): part is TextPart | RefusalPart {
  return part.type === 'text' || part.type === 'refusal';
}
