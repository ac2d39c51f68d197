import type { Completion } from '../../../src/conversation/completion.ts';
import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';

/**
 * A request in the longest of the forms that the API reference calls the same: text written as a string is a
 * list of one text block, and neighbouring messages of one role are one message.
 */
export function canonicalRequest(body: JsonObject): JsonObject {
  const messages: { role: JsonValue | undefined; content: JsonValue[] }[] = [];
  for (const message of Array.isArray(body['messages']) ? body['messages'].filter(isObject) : []) {
    const content = blocks(message['content']).map(canonicalBlock);
    const last = messages.at(-1);
    if (last?.role === message['role']) last?.content.push(...content);
    else messages.push({ role: message['role'], content });
  }
  return { ...body, ...(body['system'] === undefined ? {} : { system: blocks(body['system']) }), messages };
}

function canonicalBlock(block: JsonValue): JsonValue {
  if (!isObject(block) || block['type'] !== 'tool_result' || block['content'] === undefined) return block;
  return { ...block, content: blocks(block['content']) };
}

function blocks(content: JsonValue | undefined): JsonValue[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return Array.isArray(content) ? content : [];
}

/** Tool arguments without the model's own white space, which only its stream shows. */
export function canonicalCompletion(completion: Completion): Completion {
  const choices = completion.choices.map((choice) => ({
    ...choice,
    parts: choice.parts.map((part) =>
      part.type === 'tool_call' ? { ...part, arguments: JSON.stringify(JSON.parse(part.arguments)) } : part,
    ),
  }));
  return { ...completion, choices };
}
