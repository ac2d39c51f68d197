import type { Tool, ToolChoice } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { callerWord, changedTo, toolPath, toolPlace } from '../caller-words.ts';
import type { ToolNameRule } from '../legal-names.ts';
import { withPlainRoot } from '../plain-root.ts';
import { checkToolName, emulateCustomTool, emulatedChoice, JSON_OUTPUT_TOOL } from '../reserved-tools.ts';
import type { EncodeContext } from './encode-context.ts';
import { encodeCacheHint, ownFields } from './fields.ts';
import { constrainSchema, fitsStructuredOutputs, isObjectSchema } from './json-schema.ts';

/** How many strict tools a request may hold (docs "Structured outputs", "Schema complexity limits"). */
const MOST_STRICT_TOOLS = 20;

const EMPTY_SCHEMA: JsonObject = { type: 'object', properties: {} };

export interface ToolPlan {
  tools: JsonObject[];
  choice?: JsonObject;
  /** What the system prompt says in place of a choice that the model does not take. */
  instruction?: string;
  /** The model must call a tool. */
  isForced: boolean;
}

/**
 * Tools and the choice among them.
 *
 * @param jsonOutput the tool that stands for a JSON answer, where the call has one
 */
export function planTools(context: EncodeContext, jsonOutput: JsonObject | undefined): ToolPlan {
  const { conversation } = context;
  const { toolChoice } = conversation;
  const allowed = toolChoice?.type === 'allowed' ? new Set(toolChoice.names) : undefined;
  const strict = { count: 0 };
  const tools: JsonObject[] = [];
  for (const [index, tool] of conversation.tools.entries()) {
    if (allowed && tool.type !== 'opaque' && !allowed.has(tool.name)) continue;
    const encoded = encodeTool(context, tool, index, strict);
    if (encoded) tools.push(encoded);
  }
  const choice = planChoice(context, toolChoice, tools.length > 0);
  if (jsonOutput && !choice.isForced) return forceJsonOutput(tools, jsonOutput, toolChoice);
  return { tools, ...choice };
}

/** A call of any tool: with tools of its own, the model may still use them before it answers. */
function forceJsonOutput(
  tools: JsonObject[],
  jsonOutput: JsonObject,
  toolChoice: ToolChoice | undefined,
): ToolPlan {
  const mayCallOthers = tools.length > 0 && toolChoice?.type !== 'none';
  const choice = mayCallOthers ? { type: 'any' } : { type: 'tool', name: JSON_OUTPUT_TOOL };
  return {
    tools: [...tools, jsonOutput],
    // One call at a time, or an answer could come beside the tool calls that it should wait for, or twice.
    choice: { ...choice, disable_parallel_tool_use: true },
    isForced: true,
  };
}

function encodeTool(
  context: EncodeContext,
  tool: Tool,
  index: number,
  strict: { count: number },
): JsonObject | undefined {
  const { conversation, dropped, isNative } = context;
  if (tool.type === 'opaque') {
    if (tool.dialect === 'messages') return tool.value;
    dropped.add(toolPlace(conversation, index));
    return undefined;
  }
  checkToolName(context.conversation, tool.name, index);
  if (tool.type === 'custom') return encodeCustomTool(context, tool, index);

  const { description } = tool;
  const schema = isNative ? tool.schema : plainSchema(context, tool.schema, index);
  if (
    schema &&
    !isNative &&
    Object.keys(schema).length > 0 &&
    schema['type'] !== undefined &&
    !isObjectSchema(schema)
  ) {
    const path = toolPath(conversation, index, 'schema');
    throw invalidRequest(`'${path}' must be the schema of an object: a tool's arguments have names.`, path);
  }
  const isStrict = tool.strict === true && takesStrict(context, schema, index, strict);
  const inputSchema = isStrict && schema && !isNative ? constrainSchema(schema) : (schema ?? EMPTY_SCHEMA);
  return {
    name: tool.name,
    ...(description === undefined ? {} : { description }),
    input_schema: demandedOf(inputSchema, isNative),
    ...(isStrict ? { strict: true } : {}),
    ...(isNative && tool.strict === false ? { strict: false } : {}),
    ...encodeCacheHint(tool.cacheHint),
    ...ownFields(tool.extra),
  };
}

/** "input_schema does not support oneOf, allOf, or anyOf at the top level" (anthropics/claude-code#5319). */
const REFUSED_AT_ROOT = ['oneOf', 'allOf', 'anyOf'];

function plainSchema(
  { conversation, dropped }: EncodeContext,
  schema: JsonObject | undefined,
  index: number,
): JsonObject | undefined {
  return schema && withPlainRoot(conversation, index, schema, REFUSED_AT_ROOT, (name) => dropped.add(name));
}

/** The API demands a type, which others leave to be understood, and takes no `null` for no properties, as libraries of Go write it. */
function demandedOf(schema: JsonObject, isNative: boolean): JsonObject {
  const typed = schema['type'] === undefined ? { ...schema, type: 'object' } : schema;
  return typed['properties'] === null && !isNative ? { ...typed, properties: {} } : typed;
}

function takesStrict(
  { conversation, traits, dropped, isNative }: EncodeContext,
  schema: JsonObject | undefined,
  index: number,
  strict: { count: number },
): boolean {
  strict.count++;
  if (traits.structuredOutputs && isNative) return true;
  const fits = schema === undefined || fitsStructuredOutputs(schema);
  if (traits.structuredOutputs && fits && strict.count <= MOST_STRICT_TOOLS) return true;
  dropped.add(toolPath(conversation, index, 'strict'));
  return false;
}

function encodeCustomTool(
  { conversation, dropped }: EncodeContext,
  tool: Tool & { type: 'custom' },
  index: number,
): JsonObject {
  const { name, description, schema, losesFormat } = emulateCustomTool(tool);
  if (losesFormat) dropped.add(toolPath(conversation, index, 'format'));
  return {
    name,
    ...(description === '' ? {} : { description }),
    input_schema: { ...schema, additionalProperties: false },
  };
}

/** Source: Messages API reference (`Tool.name`). */
export const TOOL_NAMES: ToolNameRule = {
  pattern: /^[a-zA-Z0-9_-]{1,128}$/,
  most: 128,
  emulatesCustomTools: true,
};

type ChoicePlan = Omit<ToolPlan, 'tools'>;

/** `tool_choice` of the wire for each neutral one. */
function encodeChoice(context: EncodeContext, choice: ToolChoice): JsonObject | undefined {
  switch (choice.type) {
    case 'auto':
    case 'none':
      return { type: choice.type };
    case 'required':
      return { type: 'any' };
    case 'tool':
      return { type: 'tool', name: emulatedChoice(context.conversation.tools, choice.name) };
    case 'allowed':
      // The other tools are not sent at all.
      return { type: choice.mode === 'required' ? 'any' : 'auto' };
    case 'opaque':
      if (choice.dialect === 'messages') return choice.value;
      context.dropped.add(callerWord(context.conversation, 'toolChoice'));
      return undefined;
    default:
      return choice satisfies never;
  }
}

function planChoice(
  context: EncodeContext,
  toolChoice: ToolChoice | undefined,
  hasTools: boolean,
): ChoicePlan {
  const { conversation, traits, dropped, isNative } = context;
  const word = callerWord(conversation, 'toolChoice');
  const written = toolChoice && encodeChoice(context, toolChoice);
  const choice = written && { ...written, ...ownFields(toolChoice.extra) };
  const isForced = choice?.['type'] === 'any' || choice?.['type'] === 'tool';
  if (!hasTools) {
    // The API takes no choice where there is nothing to choose from.
    if (isForced) throw invalidRequest(`'${word}' demands a tool call, but there is no tool to call.`, word);
    return { isForced: false };
  }
  if (isForced && !traits.forcedToolUse) {
    dropped.add(changedTo(word, 'auto'));
    const auto = withParallel(context, { type: 'auto' });
    return { choice: auto, instruction: demandTool(choice), isForced: false };
  }
  if (choice) return { choice: choice['type'] === 'none' ? choice : withParallel(context, choice), isForced };
  const asksParallel = conversation.parallelToolCalls === false || isNative;
  if (!asksParallel || conversation.parallelToolCalls === undefined) return { isForced };
  return { choice: withParallel(context, { type: 'auto' }), isForced };
}

function withParallel({ conversation, isNative }: EncodeContext, choice: JsonObject): JsonObject {
  const parallel = conversation.parallelToolCalls;
  // Parallel calls are the default: only a caller of this dialect had to say so.
  if (parallel === undefined || (parallel && !isNative)) return choice;
  return { ...choice, disable_parallel_tool_use: !parallel };
}

/** The sentence that stands for a forced choice where the model takes none. */
export function demandTool(choice: JsonObject): string {
  return choice['type'] === 'tool'
    ? `Answer with a call of the tool \`${String(choice['name'])}\` and nothing else.`
    : 'Answer with a call of one of the tools and nothing else.';
}
