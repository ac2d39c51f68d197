import type { Tool, ToolChoice } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { toolPlace } from '../caller-words.ts';
import { checkToolName } from '../chat/tool-names.ts';
import { expectKind, optionalField, pathOf, requireField, unknownWord } from '../read-json.ts';
import { extraOf, NAMESPACE, ownFields, responsesExtra } from './extra.ts';
import { innerTools, isNamespace, keyOf, type Namespaces } from './namespaces.ts';
import type { ResponsesTarget } from './target.ts';

type FunctionTool = Extract<Tool, { type: 'function' }>;
type CustomTool = Extract<Tool, { type: 'custom' }>;

/**
 * `tools` and `tool_choice`, both ways. Unlike in Chat Completions, a tool's fields stand beside its type.
 *
 * Source: OpenAI API reference (create a model response), "Function calling" guide.
 */
export function decodeTools(body: JsonObject, namespaces: Namespaces): Tool[] {
  const tools = optionalField(body, 'tools', 'array', '') ?? [];
  const namespaced = new Set<string>();
  return tools.flatMap((value, index): Tool[] => {
    const path = pathOf('tools', index);
    const tool = expectKind(value, 'object', path);
    const type = requireField(tool, 'type', 'string', path);
    if (isNamespace(tool)) return decodeNamespace(tool, path, namespaces, namespaced);
    if (type === 'function' || type === 'custom') return [decodeOwnTool(tool, path)];
    return [{ type: 'opaque', dialect: 'responses', value: tool }];
  });
}

function decodeOwnTool(tool: JsonObject, at: string): FunctionTool | CustomTool {
  return tool['type'] === 'custom' ? decodeCustomTool(tool, at) : decodeFunction(tool, at);
}

/**
 * The tools of a namespace by their plain names. Each holds the namespace as it came, for this dialect's own encoder; what
 * it says of itself stands before the description of the first.
 */
function decodeNamespace(
  holder: JsonObject,
  at: string,
  namespaces: Namespaces,
  namespaced: Set<string>,
): Tool[] {
  const namespace = String(holder['name']);
  const about = holder['description'];
  return innerTools(holder).map((inner, index) => {
    const path = pathOf(`${at}.tools`, index);
    const tool = decodeOwnTool(inner, path);
    const key = keyOf({ namespace, name: tool.name });
    if (namespaced.has(key)) {
      throw invalidRequest(
        `'${path}' is a second tool '${tool.name}' of the namespace '${namespace}': nobody could tell which is called.`,
        pathOf(path, 'name'),
        'invalid_value',
      );
    }
    namespaced.add(key);
    const said = index === 0 && typeof about === 'string' ? about : '';
    const description = [said, tool.description ?? ''].filter((text) => text !== '').join('\n\n');
    const extra = responsesExtra({ ...ownFields(tool.extra), [NAMESPACE]: holder });
    return {
      ...tool,
      name: namespaces.plainName({ namespace, name: tool.name }),
      ...(description === '' ? {} : { description }),
      ...(extra ? { extra } : {}),
    };
  });
}

const FUNCTION_FIELDS = new Set(['type', 'name', 'description', 'parameters', 'strict']);

function decodeFunction(tool: JsonObject, at: string): FunctionTool {
  const result: FunctionTool = { type: 'function', name: requireField(tool, 'name', 'string', at) };
  const description = optionalField(tool, 'description', 'string', at);
  const schema = optionalField(tool, 'parameters', 'object', at);
  const strict = optionalField(tool, 'strict', 'boolean', at);
  const extra = extraOf(tool, FUNCTION_FIELDS);
  if (description !== undefined) result.description = description;
  if (schema) result.schema = schema;
  if (strict !== undefined) result.strict = strict;
  if (extra) result.extra = extra;
  return result;
}

const CUSTOM_FIELDS = new Set(['type', 'name', 'description', 'format']);

function decodeCustomTool(tool: JsonObject, at: string): CustomTool {
  const result: CustomTool = { type: 'custom', name: requireField(tool, 'name', 'string', at) };
  const description = optionalField(tool, 'description', 'string', at);
  const format = optionalField(tool, 'format', 'object', at);
  const extra = extraOf(tool, CUSTOM_FIELDS);
  if (description !== undefined) result.description = description;
  if (format) result.format = nestedFormat(format);
  if (extra) result.extra = extra;
  return result;
}

/** The neutral model has Chat Completions' form: `{ type: 'grammar', grammar: { syntax, definition } }`. */
function nestedFormat(format: JsonObject): JsonObject {
  const { type, ...grammar } = format;
  return type === 'grammar' ? { type, grammar } : format;
}

function flatFormat(format: JsonObject): JsonObject {
  const { type, grammar } = format;
  return type === 'grammar' && isObject(grammar) ? { type, ...grammar } : format;
}

const CHOICE_WORDS = new Map<string, ToolChoice>([
  ['auto', { type: 'auto' }],
  ['none', { type: 'none' }],
  ['required', { type: 'required' }],
]);

export function decodeToolChoice(body: JsonObject): ToolChoice | undefined {
  const choice = body['tool_choice'];
  if (choice === undefined || choice === null) return undefined;
  if (typeof choice === 'string') {
    const known = CHOICE_WORDS.get(choice);
    if (!known) throw unknownWord(choice, CHOICE_WORDS.keys(), 'tool_choice');
    return known;
  }
  const value = expectKind(choice, 'object', 'tool_choice');
  const type = requireField(value, 'type', 'string', 'tool_choice');
  if (type === 'function' || type === 'custom') {
    const extra = extraOf(value, NAMED_FIELDS);
    return {
      type: 'tool',
      name: requireField(value, 'name', 'string', 'tool_choice'),
      ...(extra ? { extra } : {}),
    };
  }
  // A built-in tool (`{ type: 'web_search' }`, `{ type: 'mcp', server_label }`, …).
  return (type === 'allowed_tools' && decodeAllowedTools(value)) || opaqueChoice(value);
}

const NAMED_FIELDS = new Set(['type', 'name']);
const ALLOWED_FIELDS = new Set(['type', 'mode', 'tools']);

function opaqueChoice(value: JsonObject): ToolChoice {
  return { type: 'opaque', dialect: 'responses', value };
}

/** `undefined` where built-in tools are among them. */
function decodeAllowedTools(choice: JsonObject): ToolChoice | undefined {
  const mode = requireField(choice, 'mode', 'string', 'tool_choice');
  if (mode !== 'auto' && mode !== 'required') {
    throw unknownWord(mode, ['auto', 'required'], 'tool_choice.mode');
  }
  const tools = requireField(choice, 'tools', 'array', 'tool_choice').map((item, index) =>
    expectKind(item, 'object', pathOf('tool_choice.tools', index)),
  );
  const names = tools.flatMap(({ type, name }) =>
    (type === 'function' || type === 'custom') && typeof name === 'string' ? [name] : [],
  );
  const extra = extraOf(choice, ALLOWED_FIELDS);
  return names.length === tools.length
    ? { type: 'allowed', mode, names, ...(extra ? { extra } : {}) }
    : undefined;
}

export function encodeTools(target: ResponsesTarget): JsonObject[] {
  const namespaces = new Set<JsonValue>();
  return target.conversation.tools.flatMap((tool, index): JsonObject[] => {
    if (tool.type !== 'opaque') checkToolName(target, tool.name, index);
    const namespace = tool.type === 'opaque' ? undefined : ownFields(tool.extra)[NAMESPACE];
    if (namespace !== undefined && isObject(namespace)) {
      // As it came, where the first of its tools stands.
      const isFirst = !namespaces.has(namespace);
      namespaces.add(namespace);
      return isFirst ? [namespace] : [];
    }
    if (tool.type === 'function') return [encodeFunction(tool, index, target)];
    if (tool.type === 'custom') return [encodeCustomTool(tool)];
    if (tool.dialect === 'responses') return [tool.value];
    target.drop(toolPlace(target.conversation, index));
    return [];
  });
}

function encodeFunction(tool: FunctionTool, index: number, target: ResponsesTarget): JsonObject {
  const written: JsonObject = { type: 'function', name: tool.name };
  if (tool.description !== undefined) written['description'] = tool.description;
  // Both are required here; an absent `strict` would mean true, which is not what other dialects mean by saying nothing.
  if (target.sameDialect) {
    if (tool.schema) written['parameters'] = tool.schema;
    if (tool.strict !== undefined) written['strict'] = tool.strict;
  } else {
    written['parameters'] = tool.schema ?? { type: 'object', properties: {} };
    written['strict'] = tool.strict ?? false;
  }
  target.dropCacheHint(tool.cacheHint, toolPlace(target.conversation, index));
  return { ...written, ...ownFields(tool.extra) };
}

function encodeCustomTool(tool: CustomTool): JsonObject {
  const written: JsonObject = { type: 'custom', name: tool.name };
  if (tool.description !== undefined) written['description'] = tool.description;
  if (tool.format) written['format'] = flatFormat(tool.format);
  return { ...written, ...ownFields(tool.extra) };
}

export function encodeToolChoice(choice: ToolChoice, target: ResponsesTarget): JsonValue | undefined {
  switch (choice.type) {
    case 'auto':
    case 'none':
    case 'required':
      return choice.type;
    case 'tool':
      return { ...namedTool(choice.name, customNames(target)), ...ownFields(choice.extra) };
    case 'allowed': {
      const custom = customNames(target);
      const tools = choice.names.map((name) => namedTool(name, custom));
      return { type: 'allowed_tools', mode: choice.mode, tools, ...ownFields(choice.extra) };
    }
    case 'opaque':
      if (choice.dialect === 'responses') return choice.value;
      target.drop('tool_choice');
      return undefined;
    default:
      return choice satisfies never;
  }
}

/** A custom tool is named in another way than a function, so it has to be looked up which of them it is. */
function namedTool(name: string, custom: ReadonlySet<string>): JsonObject {
  return { type: custom.has(name) ? 'custom' : 'function', name };
}

function customNames({ conversation }: ResponsesTarget): Set<string> {
  return new Set(conversation.tools.flatMap((tool) => (tool.type === 'custom' ? [tool.name] : [])));
}
