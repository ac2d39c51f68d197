import type { ToolCallPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { omitKeys } from '../read-json.ts';
import { readCustomToolArguments, readCustomToolName } from '../reserved-tools.ts';
import { extraOf, ownFields, ownObject } from './extra.ts';

const CALL_FIELDS = new Set(['id', 'type', 'function', 'custom']);

/**
 * A tool call as it stands in messages of both directions. `id` is given apart from the part: clients may get
 * another one than the provider's own. Arguments of a function are never empty: that would be no JSON, which
 * both clients and servers stumble over.
 */
export function encodeToolCall(call: ToolCallPart, id: string): JsonObject {
  const { kind, name } = call;
  const text = kind === 'function' && call.arguments === '' ? '{}' : call.arguments;
  const named = { name, [kind === 'custom' ? 'input' : 'arguments']: text, ...ownObject(call.extra, kind) };
  return { id, type: kind, [kind]: named, ...omitKeys(ownFields(call.extra), CALL_FIELDS) };
}

/**
 * Reads a tool call of an answer, whatever of it a server left out. `fallbackId` is used where it gave no id: every
 * dialect needs one.
 */
export function decodeToolCall(value: JsonObject, fallbackId: string): ToolCallPart {
  const custom = value['custom'];
  const body = isObject(custom) ? custom : value['function'];
  const named = isObject(body) ? body : {};
  const call: ToolCallPart = {
    type: 'tool_call',
    id: typeof value['id'] === 'string' && value['id'] !== '' ? value['id'] : fallbackId,
    kind: isObject(custom) ? 'custom' : 'function',
    name: typeof named['name'] === 'string' ? named['name'] : '',
    arguments: argumentsText(isObject(custom) ? named['input'] : named['arguments']),
  };
  const emulated = call.kind === 'function' ? readCustomToolName(call.name) : undefined;
  if (emulated !== undefined) {
    call.kind = 'custom';
    call.name = emulated;
    call.arguments = readCustomToolArguments(call.arguments);
  }
  const extra = extraOf(value, CALL_FIELDS);
  if (extra) call.extra = extra;
  return call;
}

/** Arguments are JSON text; some servers give the object itself. */
export function argumentsText(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/** The same for the same answer, different for each call of it. */
export function fallbackCallId(completionId: string, choice: number, call: number): string {
  return `call_${completionId.replace(/[^A-Za-z0-9_-]/g, '')}_${choice}_${call}`;
}
