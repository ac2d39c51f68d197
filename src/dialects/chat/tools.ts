import type { Tool, ToolChoice } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { callerWord, toolPath, toolPlace } from '../caller-words.ts';
import { placed } from '../places.ts';
import {
  expectKind,
  omitKeys,
  optionalField,
  pathOf,
  requireField,
  unknownWord,
  wrongKind,
} from '../read-json.ts';
import { emulateCustomTool, emulatedChoice, readCustomToolName, reservedName } from '../reserved-tools.ts';
import { decodeCacheHint } from './cache-hints.ts';
import { chatExtra, extraOf, nestedExtra, ownFields, ownObject, withNested } from './extra.ts';
import type { Target } from './target.ts';
import { fitSchema } from './tool-schemas.ts';

type FunctionTool = Extract<Tool, { type: 'function' }>;
type CustomTool = Extract<Tool, { type: 'custom' }>;

/**
 * `tools` and `tool_choice`, both ways, and their deprecated forms `functions` and `function_call`, which are read only (`function-call.ts`).
 *
 * Source: OpenAI API reference (create chat completion), "Function calling" guide (custom tools, allowed tools).
 */
export function decodeTools(body: JsonObject): Tool[] {
  const tools = optionalField(body, 'tools', 'array', '') ?? [];
  const functions = optionalField(body, 'functions', 'array', '') ?? [];
  return [
    ...tools.map((tool, index) => decodeTool(tool, pathOf('tools', index))),
    ...functions.map((definition, index) => {
      const path = pathOf('functions', index);
      return placed(decodeFunction(expectKind(definition, 'object', path), {}, path), path);
    }),
  ];
}

const TOOL_FIELDS = new Set(['type', 'function', 'custom', 'cache_control']);

function decodeTool(value: JsonValue, at: string): Tool {
  const tool = expectKind(value, 'object', at);
  // Mistral's client leaves the type out.
  const type = optionalField(tool, 'type', 'string', at) ?? 'function';
  const outer = extraOf(tool, TOOL_FIELDS)?.fields ?? {};
  if (type === 'custom') {
    const path = pathOf(at, 'custom');
    return decodeCustomTool(requireField(tool, 'custom', 'object', at), outer, path);
  }
  // Tools that a provider runs itself (`openrouter:web_search`, Groq's `browser_search`, …) are its own matter.
  if (type !== 'function') return { type: 'opaque', dialect: 'chat', value: tool };
  const path = pathOf(at, 'function');
  const result = decodeFunction(requireField(tool, 'function', 'object', at), outer, path);
  const cacheHint = decodeCacheHint(tool, at);
  if (cacheHint) result.cacheHint = cacheHint;
  return result;
}

const FUNCTION_FIELDS = new Set(['name', 'description', 'parameters', 'strict']);

/** `outer`: unknown fields of the tool around the function; those of the function itself stand under its key. */
function decodeFunction(definition: JsonObject, outer: JsonObject, at: string): FunctionTool {
  const tool: FunctionTool = { type: 'function', name: requireField(definition, 'name', 'string', at) };
  const description = optionalField(definition, 'description', 'string', at);
  const schema = optionalField(definition, 'parameters', 'object', at);
  const strict = optionalField(definition, 'strict', 'boolean', at);
  const inner = extraOf(definition, FUNCTION_FIELDS);
  const extra = chatExtra(inner ? { ...outer, function: inner.fields } : outer);
  if (description !== undefined) tool.description = description;
  if (schema) tool.schema = schema;
  if (strict !== undefined) tool.strict = strict;
  if (extra) tool.extra = extra;
  return tool;
}

const CUSTOM_FIELDS = new Set(['name', 'description', 'format']);

function decodeCustomTool(definition: JsonObject, outer: JsonObject, at: string): CustomTool {
  const tool: CustomTool = { type: 'custom', name: requireField(definition, 'name', 'string', at) };
  const description = optionalField(definition, 'description', 'string', at);
  const format = optionalField(definition, 'format', 'object', at);
  const inner = extraOf(definition, CUSTOM_FIELDS);
  const extra = chatExtra(inner ? { ...outer, custom: inner.fields } : outer);
  if (description !== undefined) tool.description = description;
  if (format) tool.format = format;
  if (extra) tool.extra = extra;
  return tool;
}

const CHOICE_WORDS = new Map<string, ToolChoice>([
  ['auto', { type: 'auto' }],
  ['none', { type: 'none' }],
  ['required', { type: 'required' }],
  // Mistral's older word for it.
  ['any', { type: 'required' }],
]);
const CHOICE_TYPES = ['function', 'custom', 'allowed_tools'];

export function decodeToolChoice(body: JsonObject): ToolChoice | undefined {
  const choice = body['tool_choice'];
  if (choice === undefined || choice === null) return decodeFunctionCall(body);
  if (typeof choice === 'string') return choiceWord(choice, 'tool_choice');
  if (!isObject(choice)) throw wrongKind(choice, 'a string or an object', 'tool_choice');
  // Some clients leave the type out beside `function`.
  const type = optionalField(choice, 'type', 'string', 'tool_choice') ?? 'function';
  if (type === 'allowed_tools') return decodeAllowedTools(choice);
  if (type !== 'function' && type !== 'custom') throw unknownWord(type, CHOICE_TYPES, 'tool_choice.type');
  const named = requireField(choice, type, 'object', 'tool_choice');
  const extra = nestedExtra(choice, TYPE, type, NAME);
  return {
    type: 'tool',
    name: requireField(named, 'name', 'string', `tool_choice.${type}`),
    ...(extra ? { extra } : {}),
  };
}

const TYPE = new Set(['type']);
const NAME = new Set(['name']);
const ALLOWED_FIELDS = new Set(['mode', 'tools']);

function decodeAllowedTools(choice: JsonObject): ToolChoice {
  const at = 'tool_choice.allowed_tools';
  const allowed = requireField(choice, 'allowed_tools', 'object', 'tool_choice');
  const mode = requireField(allowed, 'mode', 'string', at);
  if (mode !== 'auto' && mode !== 'required') throw unknownWord(mode, ['auto', 'required'], `${at}.mode`);
  const names = requireField(allowed, 'tools', 'array', at).map((item, index) => {
    const path = pathOf(`${at}.tools`, index);
    const tool = expectKind(item, 'object', path);
    const key = isObject(tool['custom']) ? 'custom' : 'function';
    return requireField(requireField(tool, key, 'object', path), 'name', 'string', pathOf(path, key));
  });
  const extra = nestedExtra(choice, TYPE, 'allowed_tools', ALLOWED_FIELDS);
  return { type: 'allowed', mode, names, ...(extra ? { extra } : {}) };
}

/** The deprecated `function_call`: a word, or `{ name }`. */
function decodeFunctionCall(body: JsonObject): ToolChoice | undefined {
  const choice = body['function_call'];
  if (choice === undefined || choice === null) return undefined;
  if (typeof choice === 'string') return choiceWord(choice, 'function_call');
  if (!isObject(choice)) throw wrongKind(choice, 'a string or an object', 'function_call');
  return { type: 'tool', name: requireField(choice, 'name', 'string', 'function_call') };
}

function choiceWord(word: string, path: string): ToolChoice {
  const choice = CHOICE_WORDS.get(word);
  if (!choice) throw unknownWord(word, CHOICE_WORDS.keys(), path);
  return choice;
}

export function encodeTools(target: Target): JsonObject[] {
  const encoded: JsonObject[] = [];
  const { conversation, emulatesCustomTools } = target;
  const allowed = allowedAlone(target);
  for (const [index, tool] of conversation.tools.entries()) {
    if (allowed && tool.type !== 'opaque' && !allowed.has(tool.name)) continue;
    if (tool.type === 'function') {
      if (emulatesCustomTools && readCustomToolName(tool.name) !== undefined)
        throw reservedName(toolPath(conversation, index, 'name'));
      encoded.push(encodeFunction(tool, index, target));
    } else if (tool.type === 'custom')
      encoded.push(emulatesCustomTools ? encodeEmulated(tool, index, target) : encodeCustomTool(tool));
    else if (tool.dialect === 'chat') encoded.push(tool.value);
    else target.drop(toolPlace(conversation, index));
  }
  return encoded;
}

/** The names of the only tools to offer, where the choice among them cannot be said. */
function allowedAlone({ conversation, narrowsTools }: Target): ReadonlySet<string> | undefined {
  const { toolChoice } = conversation;
  return narrowsTools && toolChoice?.type === 'allowed' ? new Set(toolChoice.names) : undefined;
}

function encodeFunction(tool: FunctionTool, index: number, target: Target): JsonObject {
  const definition: JsonObject = { name: tool.name };
  if (tool.description !== undefined) definition['description'] = tool.description;
  Object.assign(definition, encodeParameters(tool, index, target));
  return {
    type: 'function',
    function: { ...definition, ...ownObject(tool.extra, 'function') },
    ...omitKeys(ownFields(tool.extra), TOOL_FIELDS),
    ...target.cacheControl(tool.cacheHint, toolPlace(target.conversation, index)),
  };
}

function encodeParameters(tool: FunctionTool, index: number, target: Target): JsonObject {
  // A caller of this dialect gets the API's own words.
  const { schema, strict } = target.sameDialect ? tool : fitSchema(tool, index, target);
  return {
    ...(schema ? { parameters: schema } : {}),
    ...(strict === undefined ? {} : { strict }),
  };
}

function encodeCustomTool(tool: CustomTool): JsonObject {
  const definition: JsonObject = { name: tool.name };
  if (tool.description !== undefined) definition['description'] = tool.description;
  if (tool.format) definition['format'] = tool.format;
  return {
    type: 'custom',
    custom: { ...definition, ...ownObject(tool.extra, 'custom') },
    ...omitKeys(ownFields(tool.extra), TOOL_FIELDS),
  };
}

function encodeEmulated(tool: CustomTool, index: number, target: Target): JsonObject {
  const { name, description, schema, losesFormat } = emulateCustomTool(tool);
  if (losesFormat) target.drop(toolPath(target.conversation, index, 'format'));
  const definition = { name, ...(description === '' ? {} : { description }), parameters: schema };
  return { type: 'function', function: definition };
}

export function encodeToolChoice(choice: ToolChoice, target: Target): JsonValue | undefined {
  switch (choice.type) {
    case 'auto':
    case 'none':
    case 'required':
      return choice.type;
    case 'tool': {
      const named = namedTool(choice.name, target);
      return withNested(named, choice.extra, String(named['type']));
    }
    case 'allowed': {
      if (target.narrowsTools) {
        if (Object.keys(ownFields(choice.extra)).length > 0) target.drop('tool_choice');
        // The other tools are not sent at all.
        return choice.mode;
      }
      const tools = choice.names.map((name) => namedTool(name, target));
      const allowed = { type: 'allowed_tools', allowed_tools: { mode: choice.mode, tools } };
      return withNested(allowed, choice.extra, 'allowed_tools');
    }
    case 'opaque':
      if (choice.dialect === 'chat') return choice.value;
      target.drop(callerWord(target.conversation, 'toolChoice'));
      return undefined;
    default:
      return choice satisfies never;
  }
}

/** A custom tool is named in another way than a function, so it has to be looked up which of them it is. */
function namedTool(name: string, { conversation, emulatesCustomTools }: Target): JsonObject {
  if (emulatesCustomTools)
    return { type: 'function', function: { name: emulatedChoice(conversation.tools, name) } };
  const custom = conversation.tools.some((tool) => tool.type === 'custom' && tool.name === name);
  return custom ? { type: 'custom', custom: { name } } : { type: 'function', function: { name } };
}
