import type { Completion } from '../../conversation/completion.ts';
import type { Part } from '../../conversation/conversation.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { readFinishReason } from '../finish-reasons.ts';
import { unknownFields } from '../messages/fields.ts';
import { ToolUses } from '../messages/finish.ts';
import { decodeBlock, isModelsCall } from './decode-blocks.ts';
import { extraOf, objectOf, textOf } from './fields.ts';
import { decodeUsage } from './usage.ts';

const ANSWER_FIELDS = new Set(['output', 'stopReason', 'usage']);

/** An answer that is not in the dialect. */
export function rejectAnswer(expected: string, path: string): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    `The provider's answer is not in the form of the Converse API: '${path}' is not ${expected}.`,
  );
}

/** The API gives its answers no id and does not name the model that ran: both are empty. */
export function decodeResponse(body: JsonValue): Completion {
  if (!isObject(body)) throw rejectAnswer('an object', 'body');
  const message = objectOf(objectOf(body['output'])['message']);
  if (!Array.isArray(message['content'])) throw rejectAnswer('a list', 'output.message.content');
  if (typeof body['stopReason'] !== 'string') throw rejectAnswer('a string', 'stopReason');

  const toolUses = new ToolUses();
  const parts: Part[] = [];
  for (const [index, block] of message['content'].entries()) {
    const part = decodeBlock(block);
    if (!part) throw rejectAnswer('an object', `output.message.content[${index}]`);
    parts.push(part);
    const called = calledTool(block);
    if (called !== undefined) toolUses.add(called);
  }
  const stopSequence = readStopSequence(body['additionalModelResponseFields']);
  const usage = isObject(body['usage']) ? decodeUsage(body['usage'], body) : undefined;
  return {
    id: '',
    model: '',
    choices: [
      {
        index: 0,
        parts,
        finish: toolUses.finish(readFinishReason('converse', body['stopReason'])),
        ...(stopSequence === undefined ? {} : { stopSequence }),
      },
    ],
    ...(usage ? { usage } : {}),
    ...extraOf(unknownFields(body, ANSWER_FIELDS)),
  };
}

/** The name of the tool that a block calls; `undefined` where it calls none, or Bedrock ran it. */
function calledTool(block: JsonValue): string | undefined {
  const toolUse = objectOf(block)['toolUse'];
  return isObject(toolUse) && isModelsCall(toolUse) ? textOf(toolUse['name']) : undefined;
}

/** Claude tells it where the request asked for it, by its own API's path: another one in streams. */
export function readStopSequence(additional: JsonValue | undefined): string | undefined {
  const fields: JsonObject = objectOf(additional);
  const met = fields['stop_sequence'] ?? objectOf(fields['delta'])['stop_sequence'];
  return typeof met === 'string' ? met : undefined;
}
