import type { Conversation, Tool, ToolChoice } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { callerWord, toolPath, toolPlace } from '../caller-words.ts';
import { unsupportedParameter } from '../parameters.ts';
import { placed } from '../places.ts';
import { checkToolName, emulateCustomTool, emulatedChoice, JSON_OUTPUT_TOOL } from '../reserved-tools.ts';
import type { ModelTraits } from './models.ts';
import { defined, extraOf, listOf, messageIn, ownFields, readMessage, textIn } from './proto.ts';
import { fromOpenApiSchema, toOpenApiSchema } from './schema.ts';

/*
 * Source: Gemini API reference, `Tool`, `FunctionDeclaration`, `ToolConfig`, `FunctionCallingConfig`;
 * Gemini API docs, "Function calling" (modes).
 */

export interface EncodedTools {
  tools?: JsonObject[];
  functionCallingConfig?: JsonObject;
  dropped: string[];
}

/**
 * Tools and tool choice. All functions go into one tool entry, at the place of the first.
 *
 * @param jsonOutput the function that stands for a JSON answer, where the call has one; it has other functions beside it
 */
export function encodeTools(
  conversation: Conversation,
  traits: ModelTraits,
  jsonOutput?: JsonObject,
): EncodedTools {
  const functionDeclarations: JsonObject[] = [];
  const tools: JsonObject[] = [];
  const dropped: string[] = [];
  let strict = false;
  const offered = traits.functions ? offeredAlone(conversation, traits) : noneOf(conversation);
  for (const [index, tool] of conversation.tools.entries()) {
    if (offered && tool.type !== 'opaque' && !offered.includes(tool.name)) continue;
    if (tool.type === 'function') {
      if (functionDeclarations.length === 0) tools.push({ functionDeclarations });
      if (conversation.dialect !== 'gemini') checkToolName(conversation, tool.name, index);
      functionDeclarations.push(encodeFunction(tool, traits));
      if (tool.strict === true) strict = true;
      if ('cacheHint' in tool && tool.cacheHint)
        dropped.push(`${toolPlace(conversation, index)}.${callerWord(conversation, 'cacheHint')}`);
    } else if (tool.type === 'custom') {
      if (functionDeclarations.length === 0) tools.push({ functionDeclarations });
      const { name, description, schema, losesFormat } = emulateCustomTool(tool);
      const emulated = { type: 'function' as const, name, schema };
      functionDeclarations.push(
        encodeFunction(description === '' ? emulated : { ...emulated, description }, traits),
      );
      if (losesFormat) dropped.push(toolPath(conversation, index, 'format'));
    } else if (tool.dialect === 'gemini') {
      tools.push(tool.value);
    } else {
      dropped.push(toolPlace(conversation, index));
    }
  }
  if (offered?.length === 0) dropped.push(conversation.spelling?.tools ?? 'tools');
  if (strict && !traits.validatedCalls) dropped.push(callerWord(conversation, 'strictTool'));
  if (conversation.parallelToolCalls === false) dropped.push(callerWord(conversation, 'parallelToolCalls'));

  const choice = encodeToolChoice(conversation, traits, strict);
  const usable = functionDeclarations.length > 0 || conversation.dialect === 'gemini';
  const word = callerWord(conversation, 'toolChoice');
  if (!usable && choice?.['mode'] === 'ANY') {
    throw invalidRequest(`'${word}' demands a tool call, but there is no tool to call.`, word);
  }
  const refused = choice === undefined && conversation.toolChoice !== undefined;
  if (refused || (choice && !usable)) dropped.push(word);
  const isAnswered = jsonOutput !== undefined && choice?.['mode'] !== 'ANY';
  if (isAnswered) functionDeclarations.push(jsonOutput);
  const calling = isAnswered ? demandCall(choice) : choice;
  return defined({
    tools: tools.length > 0 ? tools : undefined,
    functionCallingConfig: usable ? calling : undefined,
    dropped,
  });
}

/** A model that calls nothing is offered nothing; where it might have been meant to call, the answer would be another one. */
function noneOf({ dialect, tools, toolChoice, spelling }: Conversation): string[] | undefined {
  if (dialect === 'gemini' || !tools.some(({ type }) => type !== 'opaque')) return undefined;
  if (toolChoice?.type !== 'none') throw unsupportedParameter(spelling?.tools ?? 'tools');
  return [];
}

/** The only tools to be offered, where the model may not be told which of all it may call and still answer in text. */
function offeredAlone({ toolChoice }: Conversation, { validatedCalls }: ModelTraits): string[] | undefined {
  const isFree = toolChoice?.type === 'allowed' && toolChoice.mode === 'auto';
  return isFree && !validatedCalls ? toolChoice.names : undefined;
}

/** A call of any function: the model may still use the caller's own before it answers. */
function demandCall(choice: JsonObject | undefined): JsonObject {
  const names = listOf(choice?.['allowedFunctionNames']);
  return names.length > 0
    ? { mode: 'ANY', allowedFunctionNames: [...names, JSON_OUTPUT_TOOL] }
    : { mode: 'ANY' };
}

function encodeFunction(tool: Tool & { type: 'function' }, traits: ModelTraits): JsonObject {
  const own = ownFields(tool.extra);
  return defined({
    name: tool.name,
    description: tool.description,
    ...(own['parameters'] === undefined ? encodeParameters(tool.schema, traits) : {}),
    ...own,
  });
}

export function encodeParameters(schema: JsonObject | undefined, { jsonSchema }: ModelTraits): JsonObject {
  if (!schema) return {};
  if (jsonSchema) return { parametersJsonSchema: schema };
  const parameters = toOpenApiSchema(schema);
  // An object without properties is refused; a function without parameters is not.
  return isObject(parameters['properties']) ? { parameters } : {};
}

/**
 * `undefined` where there is nothing to say. `strict`: calls must keep to their schema; mode `ANY` sees to that
 * anyway, `VALIDATED` is its like for models that may also answer in text.
 */
function encodeToolChoice(
  { toolChoice: choice, tools }: Conversation,
  { validatedCalls }: ModelTraits,
  strict: boolean,
): JsonObject | undefined {
  const isValidated = strict && validatedCalls;
  if (!choice) return isValidated ? { mode: 'VALIDATED' } : undefined;
  switch (choice.type) {
    case 'auto':
      return { mode: isValidated ? 'VALIDATED' : 'AUTO' };
    case 'none':
      return { mode: 'NONE' };
    case 'required':
      return { mode: 'ANY' };
    case 'tool':
      return { mode: 'ANY', allowedFunctionNames: [emulatedChoice(tools, choice.name)] };
    case 'allowed':
      // `AUTO` takes no names: the others are not offered at all.
      if (choice.mode !== 'required' && !validatedCalls) return { mode: 'AUTO' };
      return {
        mode: choice.mode === 'required' ? 'ANY' : 'VALIDATED',
        allowedFunctionNames: choice.names.map((name) => emulatedChoice(tools, name)),
      };
    case 'opaque':
      return choice.dialect === 'gemini' ? choice.value : undefined;
    default:
      return choice satisfies never;
  }
}

/** The tools of a request; an entry is a set of functions or a tool that Google runs. */
export function decodeTools(value: JsonObject['']): Tool[] {
  return listOf(value).flatMap((entry, index) => {
    if (!isObject(entry)) throw invalidRequest(`'tools[${index}]' must be an object.`, `tools[${index}]`);
    const { functionDeclarations, ...others } = readMessage(entry);
    const functions = listOf(functionDeclarations).map((declaration, place) =>
      decodeFunction(declaration, `tools[${index}].functionDeclarations[${place}]`),
    );
    const opaque: Tool[] =
      Object.keys(others).length > 0
        ? [
            placed(
              { type: 'opaque', dialect: 'gemini', value: others },
              placeOfOthers(others, `tools[${index}]`),
            ),
          ]
        : [];
    return [...functions, ...opaque];
  });
}

/** Of a tool that Google runs; an entry may hold several. */
function placeOfOthers(others: JsonObject, path: string): string {
  const [first, ...more] = Object.keys(others);
  return more.length === 0 ? `${path}.${first}` : path;
}

function decodeFunction(value: unknown, path: string): Tool {
  const declaration = isObject(value) ? readMessage(value) : {};
  const { name, description, parametersJsonSchema, ...rest } = declaration;
  if (typeof name !== 'string') throw invalidRequest(`'${path}.name' must be a string.`, `${path}.name`);
  const parameters = messageIn(rest, 'parameters');
  const schema = isObject(parametersJsonSchema)
    ? parametersJsonSchema
    : parameters && fromOpenApiSchema(parameters);
  const tool: Tool = defined({
    type: 'function' as const,
    name,
    description: typeof description === 'string' ? description : undefined,
    schema,
    extra: extraOf(rest),
  });
  return placed(tool, path);
}

export interface DecodedToolConfig {
  toolChoice?: ToolChoice;
  /** What no neutral word says (`retrievalConfig`, …). */
  rest: JsonObject;
}

export function decodeToolConfig(value: JsonObject[string]): DecodedToolConfig {
  if (!isObject(value)) return { rest: {} };
  const { functionCallingConfig, ...rest } = readMessage(value);
  if (!isObject(functionCallingConfig)) return { rest };
  const { mode, allowedFunctionNames, ...more } = readMessage(functionCallingConfig);
  const names = listOf(allowedFunctionNames).filter((name): name is string => typeof name === 'string');
  const toolChoice =
    typeof mode === 'string'
      ? decodeMode(mode, names)
      : names.length > 0
        ? opaqueChoice(mode, names)
        : undefined;
  return defined({
    toolChoice,
    rest: Object.keys(more).length > 0 ? { ...rest, functionCallingConfig: more } : rest,
  });
}

function decodeMode(mode: string, names: string[]): ToolChoice {
  const [first, ...others] = names;
  if (mode === 'AUTO' && first === undefined) return { type: 'auto' };
  if (mode === 'NONE' && first === undefined) return { type: 'none' };
  if (mode === 'ANY' && first === undefined) return { type: 'required' };
  if (mode === 'ANY' && first !== undefined && others.length === 0) return { type: 'tool', name: first };
  if (mode === 'ANY') return { type: 'allowed', mode: 'required', names };
  if (mode === 'VALIDATED' && first !== undefined) return { type: 'allowed', mode: 'auto', names };
  return opaqueChoice(mode, names);
}

function opaqueChoice(mode: JsonObject[string], names: string[]): ToolChoice {
  const value = defined({ mode, allowedFunctionNames: names.length > 0 ? names : undefined });
  return { type: 'opaque', dialect: 'gemini', value };
}

/** The name of a response schema where a neutral one is wanted: Gemini has none of its own. */
export function schemaName(schema: JsonObject): string {
  const title = textIn(schema, 'title')
    ?.replace(/[^a-zA-Z0-9_-]/g, '_')
    .slice(0, 64);
  return title === undefined || title === '' ? 'response' : title;
}
