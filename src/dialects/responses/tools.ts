import type { Tool, ToolChoice } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { callerWord, toolPlace } from '../caller-words.ts';
import { fitSchema } from '../chat/tool-schemas.ts';
import { isSaidTwice, placed, saidTwice } from '../places.ts';
import { expectKind, optionalField, pathOf, requireField, unknownWord } from '../read-json.ts';
import { toolEntries } from './additional-tools.ts';
import { extraOf, NAMESPACE, ownFields, responsesExtra } from './extra.ts';
import { innerTools, isNamespace, keyOf, type Namespaces } from './namespaces.ts';
import type { ResponsesTarget } from './target.ts';
import { isClientSearch, offersSearch, SEARCH_TOOL, searchFunction } from './tool-search.ts';

type FunctionTool = Extract<Tool, { type: 'function' }>;
type CustomTool = Extract<Tool, { type: 'custom' }>;

/**
 * `tools` and `tool_choice`, both ways. Unlike in Chat Completions, a tool's fields stand beside its type.
 *
 * Source: OpenAI API reference (create a model response), "Function calling" guide.
 */
export function decodeTools(body: JsonObject, namespaces: Namespaces): Tool[] {
  optionalField(body, 'tools', 'array', '');
  const namespaced = new Set<string>();
  const hasSearch = offersSearch(body);
  return toolEntries(body).flatMap(({ value, path, item }): Tool[] => {
    if (hasSearch && isClientSearch(value)) return [placed(searchFunction(value), path)];
    // Nobody could tell whether a call of that name is a search.
    if (hasSearch && item && isObject(value) && value['name'] === SEARCH_TOOL)
      return [saidTwice(placed({ type: 'opaque', dialect: 'responses', value }, path))];
    const tools = decodeTool(expectKind(value, 'object', path), path, namespaces, namespaced);
    return item ? tools.map((tool) => saidTwice(placed(tool, path))) : tools;
  });
}

function decodeTool(tool: JsonObject, path: string, namespaces: Namespaces, namespaced: Set<string>): Tool[] {
  const type = requireField(tool, 'type', 'string', path);
  if (isNamespace(tool)) return decodeNamespace(tool, path, namespaces, namespaced);
  if (type === 'function' || type === 'custom') return [decodeOwnTool(tool, path)];
  return [{ type: 'opaque', dialect: 'responses', value: tool }];
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

export function decodeToolChoice(body: JsonObject, namespaces: Namespaces): ToolChoice | undefined {
  const choice = body['tool_choice'];
  if (choice === undefined || choice === null) return undefined;
  if (typeof choice === 'string') {
    const known = CHOICE_WORDS.get(choice);
    if (!known) throw unknownWord(choice, CHOICE_WORDS.keys(), 'tool_choice');
    return known;
  }
  const value = expectKind(choice, 'object', 'tool_choice');
  const type = requireField(value, 'type', 'string', 'tool_choice');
  if (type === 'allowed_tools') return decodeAllowedTools(value, namespaces);
  // A built-in tool (`{ type: 'web_search' }`, `{ type: 'mcp', server_label }`, …).
  if (type !== 'function' && type !== 'custom') return { type: 'opaque', dialect: 'responses', value };
  const name = requireField(value, 'name', 'string', 'tool_choice');
  const [meant = name, another] = namesMeant(value, namespaces);
  // Of several, nobody could tell which: none is offered by the name as it came.
  const plain = another === undefined ? meant : name;
  const extra = extraOf(value, NAMED_FIELDS);
  // The name within the namespace is this dialect's own.
  const own = plain === name ? extra : responsesExtra({ ...extra?.fields, name });
  return { type: 'tool', name: plain, ...(own ? { extra: own } : {}) };
}

/**
 * The plain names of the tools that an entry of a choice means: one, or those of a namespace, which are also meant by their
 * own names alone (the API's types show no other way to choose them). A tool that the provider runs has no plain name.
 */
function namesMeant(tool: JsonObject, namespaces: Namespaces): string[] {
  const { type, name, namespace } = tool;
  if (typeof name !== 'string') return [];
  if (type === 'namespace') return namespaces.plainNamesIn(name);
  if (type !== 'function' && type !== 'custom') return [];
  if (typeof namespace === 'string') return [namespaces.plainName({ namespace, name })];
  return namespaces.plainNames(name);
}

const NAMED_FIELDS = new Set(['type', 'name']);
const ALLOWED_FIELDS = new Set(['type', 'mode', 'tools']);

/** The tools as they came stand beside the plain names where these say less: only this dialect's own encoder knows them. */
function decodeAllowedTools(choice: JsonObject, namespaces: Namespaces): ToolChoice {
  const mode = requireField(choice, 'mode', 'string', 'tool_choice');
  if (mode !== 'auto' && mode !== 'required') {
    throw unknownWord(mode, ['auto', 'required'], 'tool_choice.mode');
  }
  const tools = requireField(choice, 'tools', 'array', 'tool_choice').map((item, index) =>
    expectKind(item, 'object', pathOf('tool_choice.tools', index)),
  );
  const names = tools.flatMap((tool) => {
    const meant = namesMeant(tool, namespaces);
    return meant.length > 0 ? meant : [unofferedName(tool)];
  });
  const isPlain = tools.every(({ type, name }, index) => isOwnTool(type) && name === names[index]);
  const extra = responsesExtra({
    ...extraOf(choice, ALLOWED_FIELDS)?.fields,
    ...(isPlain ? {} : { [NAMESPACE]: tools }),
  });
  return { type: 'allowed', mode, names, ...(extra ? { extra } : {}) };
}

function isOwnTool(type: JsonValue | undefined): boolean {
  return type === 'function' || type === 'custom';
}

/** No tool of the caller's has this name where the provider is to run it, so that no other is taken for it. */
function unofferedName({ type, name }: JsonObject): string {
  return isOwnTool(type) && typeof name === 'string' ? name : `${String(type)}:`;
}

export function encodeTools(target: ResponsesTarget): JsonObject[] {
  const namespaces = new Set<JsonValue>();
  return target.conversation.tools.flatMap((tool, index): JsonObject[] => {
    if (target.sameDialect && isSaidTwice(tool)) return [];
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
    const fitted = fitSchema(tool, index, target);
    written['parameters'] = fitted.schema ?? { type: 'object', properties: {} };
    written['strict'] = fitted.strict ?? false;
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
      const { [NAMESPACE]: asTheyCame, ...own } = ownFields(choice.extra);
      const tools = asTheyCame ?? choice.names.map((name) => namedTool(name, custom));
      return { type: 'allowed_tools', mode: choice.mode, tools, ...own };
    }
    case 'opaque':
      if (choice.dialect === 'responses') return choice.value;
      target.drop(callerWord(target.conversation, 'toolChoice'));
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
