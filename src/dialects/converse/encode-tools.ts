import { appendAll } from '../../conversation/append-all.ts';
import type { Tool, ToolChoice } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { callerWord, toolPath, toolPlace } from '../caller-words.ts';
import type { ToolNameRule } from '../legal-names.ts';
import { constrainSchema, fitsStructuredOutputs, isObjectSchema } from '../messages/json-schema.ts';
import { withPlainRoot } from '../plain-root.ts';
import { checkToolName, customToolName, emulateCustomTool } from '../reserved-tools.ts';
import { clientTool, clientToolNames } from './client-tools.ts';
import { type EncodeContext, encodeCachePoint } from './encode-context.ts';
import { textOf } from './fields.ts';
import type { ConverseTraits } from './model-traits.ts';

/** Source: Bedrock API reference (`ToolSpecification.name`). */
export const TOOL_NAMES: ToolNameRule = {
  pattern: /^[a-zA-Z0-9_-]{1,64}$/,
  most: 64,
  emulatesCustomTools: true,
};

const EMPTY_SCHEMA: JsonObject = { type: 'object', properties: {} };

/** For tools that only the history knows: the API wants every tool named there to be described. */
const PAST_TOOL = 'Was called earlier in this conversation. It is not available any more.';

const NO_TOOLS = 'Answer in words. Do not call a tool.';

/** `toolConfig` must be there where tools were called, and hold a tool, also where all of them stand beside it. */
const NO_TOOL = { name: 'unused', description: 'Does nothing. Never call it.' };

export interface ToolPlan {
  toolConfig?: JsonObject;
  /** Fields of `additionalModelRequestFields`: tools in the words of Anthropic's API, and the choice of one of them. */
  fields?: JsonObject;
  /** What the system prompt says in place of a choice that the model does not take. */
  instruction?: string;
  /** The model must call a tool. */
  isForced: boolean;
}

/**
 * `toolConfig`: the tools and the choice among them. It must be there where the history holds tool calls, whether
 * the caller sent tools or not.
 *
 * @param calledTools names of the tools that the history calls
 * @param jsonOutput the tool that stands for a JSON answer (as `messages` writes it), where the call has one
 */
export function planTools(
  context: EncodeContext,
  calledTools: readonly string[],
  jsonOutput: JsonObject | undefined,
): ToolPlan {
  const plan = planOwnTools(context, calledTools, jsonOutput);
  const { conversation, traits } = context;
  if (conversation.toolChoice?.type === 'none') return plan;
  const tools = conversation.tools
    .map((tool) => clientTool(tool, traits))
    .filter((tool) => tool !== undefined);
  return tools.length === 0 ? plan : { ...plan, fields: { tools, ...plan.fields } };
}

function planOwnTools(
  context: EncodeContext,
  calledTools: readonly string[],
  jsonOutput: JsonObject | undefined,
): ToolPlan {
  const { conversation } = context;
  const choice = conversation.toolChoice;
  const tools = encodeTools(context, choice);
  const clients = clientToolNames(conversation, context.traits);
  if (conversation.parallelToolCalls === false && tools.length + clients.length > 0) {
    context.dropped.add(callerWord(conversation, 'parallelToolCalls'));
  }
  if (jsonOutput) return forceJsonOutput(context, tools, choice, jsonOutput, clients.length > 0);
  if (choice?.type === 'none') return planNoTools(context, tools, calledTools);
  if (clients.length > 0 && !tools.some(isTool)) return planClientTools(context, clients, calledTools);
  if (choice?.type === 'tool' && clients.includes(choice.name)) {
    return { toolConfig: { tools }, ...forceClientTool(context, choice.name) };
  }
  if (tools.some(isTool)) return planChoice(context, tools, choice);
  refuseForced(context, choice);
  return withPastTools(calledTools);
}

/** All tools are of Anthropic's own types. */
function planClientTools(
  context: EncodeContext,
  clients: readonly string[],
  calledTools: readonly string[],
): ToolPlan {
  const past = calledTools.filter((name) => !clients.includes(name));
  const unused = { tools: [{ toolSpec: describe(NO_TOOL.name, NO_TOOL.description, EMPTY_SCHEMA) }] };
  const { toolConfig = unused } = withPastTools(past);
  const config = calledTools.length > 0 ? { toolConfig } : {};
  const choice = context.conversation.toolChoice;
  const isForced = choice?.type === 'required' || (choice?.type === 'allowed' && choice.mode === 'required');
  if (isForced) return { ...config, ...forceClientTool(context, undefined) };
  if (choice?.type === 'tool') return { ...config, ...forceClientTool(context, choice.name) };
  return { ...config, isForced: false };
}

/** A call of one of them (of any, where no name is given): Converse knows none of their names, so the choice is said where they are. */
function forceClientTool(context: EncodeContext, name: string | undefined): ToolPlan {
  const kind = name === undefined ? 'any' : 'tool';
  if (!mayForce(context).includes(kind)) return askFor(context, name);
  return { fields: { tool_choice: { type: kind, ...(name === undefined ? {} : { name }) } }, isForced: true };
}

function encodeTools(context: EncodeContext, choice: ToolChoice | undefined): JsonObject[] {
  const { conversation, dropped } = context;
  const allowed = choice?.type === 'allowed' ? new Set(choice.names) : undefined;
  const tools: JsonObject[] = [];
  for (const [index, tool] of conversation.tools.entries()) {
    if (tool.type === 'opaque') {
      if (tool.dialect === 'converse') tools.push(tool.value);
      else if (!clientTool(tool, context.traits)) dropped.add(toolPlace(conversation, index));
      continue;
    }
    if (allowed && !allowed.has(tool.name)) continue;
    tools.push({ toolSpec: encodeTool(context, tool, index) });
    if (tool.type === 'function')
      appendAll(tools, encodeCachePoint(context, tool.cacheHint, 'tools', toolPlace(conversation, index)));
  }
  return tools;
}

/**
 * Claude takes none of them there (see `messages/encode-tools.ts`), Nova nothing but `type`, `properties` and `required` (Amazon Nova user
 * guide, "Defining a tool").
 */
const REFUSED_AT_ROOT = ['oneOf', 'allOf', 'anyOf'];

function encodeTool(
  context: EncodeContext,
  tool: Exclude<Tool, { type: 'opaque' }>,
  index: number,
): JsonObject {
  const { conversation, dropped } = context;
  checkToolName(context.conversation, tool.name, index);
  if (tool.type === 'custom') {
    const { name, description, schema, losesFormat } = emulateCustomTool(tool);
    if (losesFormat) dropped.add(toolPath(conversation, index, 'format'));
    return describe(name, description, schema);
  }
  const drop = (word: string) => dropped.add(word);
  const schema = withPlainRoot(conversation, index, tool.schema ?? EMPTY_SCHEMA, REFUSED_AT_ROOT, drop);
  if (schema['type'] !== undefined && !isObjectSchema(schema)) {
    const path = toolPath(conversation, index, 'schema');
    throw invalidRequest(`'${path}' must be the schema of an object: a tool's arguments have names.`, path);
  }
  const isStrict = tool.strict === true && context.traits.structuredOutputs && fitsStructuredOutputs(schema);
  if (tool.strict === true && !isStrict) dropped.add(toolPath(conversation, index, 'strict'));
  const isOwn = conversation.dialect === 'converse' || conversation.dialect === 'messages';
  return {
    ...describe(tool.name, tool.description, isStrict && !isOwn ? constrainSchema(schema) : schema),
    ...(isStrict ? { strict: true } : {}),
  };
}

function describe(name: string, description: string | undefined, schema: JsonObject): JsonObject {
  return {
    name,
    // An empty one is refused.
    ...(description ? { description } : {}),
    // `type` is demanded; schemas of other APIs may leave it to be understood.
    inputSchema: { json: schema['type'] === undefined ? { ...schema, type: 'object' } : schema },
  };
}

/** The API knows no choice of none: without tools there is nothing to call. */
function planNoTools(
  context: EncodeContext,
  tools: readonly JsonObject[],
  calledTools: readonly string[],
): ToolPlan {
  if (calledTools.length === 0) return { isForced: false };
  context.dropped.add(callerWord(context.conversation, 'toolChoice'));
  const plan = tools.some(isTool)
    ? { toolConfig: { tools: [...tools] }, isForced: false }
    : withPastTools(calledTools);
  return { ...plan, instruction: NO_TOOLS };
}

function withPastTools(calledTools: readonly string[]): ToolPlan {
  if (calledTools.length === 0) return { isForced: false };
  const tools = calledTools.map((name) => ({ toolSpec: describe(name, PAST_TOOL, EMPTY_SCHEMA) }));
  return { toolConfig: { tools }, isForced: false };
}

function refuseForced({ conversation }: EncodeContext, choice: ToolChoice | undefined): void {
  const isForced =
    choice?.type === 'required' ||
    choice?.type === 'tool' ||
    (choice?.type === 'allowed' && choice.mode === 'required');
  if (!isForced) return;
  const word = callerWord(conversation, 'toolChoice');
  throw invalidRequest(`'${word}' demands a tool call, but there is no tool to call.`, word);
}

function planChoice(context: EncodeContext, tools: JsonObject[], choice: ToolChoice | undefined): ToolPlan {
  const { conversation, dropped } = context;
  switch (choice?.type) {
    case undefined:
    case 'none':
      return { toolConfig: { tools }, isForced: false };
    case 'auto':
      return { toolConfig: { tools, toolChoice: { auto: {} } }, isForced: false };
    case 'required':
      return forceTool(context, tools, undefined);
    case 'allowed':
      if (choice.mode === 'required') return forceTool(context, tools, undefined);
      return { toolConfig: { tools, toolChoice: { auto: {} } }, isForced: false };
    case 'tool': {
      const isCustom = conversation.tools.some(({ type, ...tool }) => {
        return type === 'custom' && 'name' in tool && tool.name === choice.name;
      });
      return forceTool(context, tools, isCustom ? customToolName(choice.name) : choice.name);
    }
    case 'opaque':
      if (choice.dialect === 'converse') {
        return { toolConfig: { tools, toolChoice: choice.value }, isForced: false };
      }
      dropped.add(callerWord(conversation, 'toolChoice'));
      return { toolConfig: { tools }, isForced: false };
    default:
      return choice satisfies never;
  }
}

/** A call of one tool (any, where no name is given), as far as the model can be made to. */
function forceTool(context: EncodeContext, tools: JsonObject[], name: string | undefined): ToolPlan {
  const forced = mayForce(context);
  if (name !== undefined && forced.includes('tool')) {
    return { toolConfig: { tools, toolChoice: { tool: { name } } }, isForced: true };
  }
  if (forced.includes('any')) {
    // Any of one is that one.
    const left = name === undefined ? tools : tools.filter((tool) => toolName(tool) === name);
    return { toolConfig: { tools: left, toolChoice: { any: {} } }, isForced: true };
  }
  return { toolConfig: { tools, toolChoice: { auto: {} } }, ...askFor(context, name) };
}

function mayForce({ traits, messages }: EncodeContext): ConverseTraits['forcedChoices'] {
  return messages.traits.forcedToolUse ? traits.forcedChoices : [];
}

/** A call that the model cannot be made to make. */
function askFor({ conversation, dropped }: EncodeContext, name: string | undefined): ToolPlan {
  dropped.add(callerWord(conversation, 'toolChoice'));
  const what = name === undefined ? 'one of the tools' : `the tool \`${name}\``;
  return { instruction: `Answer with a call of ${what} and nothing else.`, isForced: false };
}

/** A call of any tool: with tools of its own, the model may still use them before it answers. */
function forceJsonOutput(
  context: EncodeContext,
  tools: JsonObject[],
  choice: ToolChoice | undefined,
  { name, description, input_schema: schema }: JsonObject,
  hasClientTools: boolean,
): ToolPlan {
  const isAlreadyForced = choice?.type === 'required' || choice?.type === 'tool';
  if (isAlreadyForced && tools.some(isTool)) return planChoice(context, tools, choice);
  const toolSpec = { name, description, inputSchema: { json: schema } };
  const mayCallOthers = (tools.some(isTool) || hasClientTools) && choice?.type !== 'none';
  return forceTool(context, [...tools, { toolSpec }], mayCallOthers ? undefined : textOf(name));
}

function isTool(element: JsonObject): boolean {
  return element['cachePoint'] === undefined;
}

function toolName({ toolSpec }: JsonObject): string {
  return typeof toolSpec === 'object' && toolSpec !== null && 'name' in toolSpec ? textOf(toolSpec.name) : '';
}
