import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { Prompt } from './compile-prompt.ts';

/** Where the calls of tools begin in messages of the chat dialect that a model answered its prompt with; their number where there are none. */
export function findToolTurn(messages: readonly JsonValue[]): number {
  const at = messages.findIndex(
    (message) => isObject(message) && (message['role'] === 'tool' || callsOf(message).length > 0),
  );
  return at === -1 ? messages.length : at;
}

function callsOf({ tool_calls: calls }: JsonObject): JsonValue[] {
  return Array.isArray(calls) ? calls : [];
}

/**
 * What stands behind a prompt's own messages: calls of its tools, and their results.
 *
 * @param from where it begins in `messages`
 * @throws GatewayError `invalid_request`
 */
export function readToolTurn(prompt: Prompt, messages: readonly JsonValue[], from: number): JsonObject[] {
  const names = new Set(
    prompt.tools.map(({ function: tool }) => (isObject(tool) ? tool['name'] : undefined)),
  );
  return messages.slice(from).map((message, offset) => {
    const path = `messages[${from + offset}]`;
    const { role, content = null, tool_call_id: id } = isObject(message) ? message : {};
    if (role === 'tool') {
      if (typeof id !== 'string')
        throw invalidRequest(`'${path}.tool_call_id' must be text.`, `${path}.tool_call_id`);
      return { role, tool_call_id: id, content: requireText(content, path) };
    }
    if (role !== 'assistant')
      throw invalidRequest(
        `'${path}.role' must be 'assistant' or 'tool': calls of tools stand behind all other messages.`,
        `${path}.role`,
      );
    const calls = callsOf(message as JsonObject).map((call, index) =>
      readCall(call, names, `${path}.tool_calls[${index}]`),
    );
    if (calls.length === 0) return { role, content: requireText(content, path) };
    return { role, content: content === null ? null : requireText(content, path), tool_calls: calls };
  });
}

function readCall(call: JsonValue, names: ReadonlySet<JsonValue | undefined>, path: string): JsonObject {
  const { id, function: called } = isObject(call) ? call : {};
  const { name, arguments: given } = isObject(called) ? called : {};
  if (typeof id !== 'string' || typeof given !== 'string')
    throw invalidRequest(`'${path}' must be a call as the answer had it.`, path);
  if (!names.has(name)) throw invalidRequest(`'${path}' calls a tool that the prompt does not have.`, path);
  return { id, type: 'function', function: { name: name ?? '', arguments: given } };
}

function requireText(content: JsonValue, path: string): JsonValue {
  if (textIn(content) === undefined)
    throw invalidRequest(`'${path}.content' must be text.`, `${path}.content`);
  return content;
}

/** What a message says whose content is text, or a list of text parts; `undefined` of any other. */
export function textIn(content: JsonValue | undefined): string | undefined {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return undefined;
  const texts = content.map((part) => (isObject(part) && part['type'] === 'text' ? part['text'] : undefined));
  return texts.every((text) => typeof text === 'string') ? texts.join('') : undefined;
}
