import type { Conversation, Tool, ToolCallPart } from '../conversation/conversation.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { type JsonObject, tryParseJson } from '../conversation/json.ts';
import { toolPath } from './caller-words.ts';

/**
 * Two kinds of tool exist only on our way to the provider, and decoders know them by their names alone, because
 * an answer is decoded without its request:
 *
 * - A JSON answer from a model without structured outputs is asked for as a call of one forced tool, whose input
 *   is the answer. It is given back as text.
 * - A tool that takes free text (OpenAI `custom`) becomes a function with one string, `input`. Its call is given
 *   back as the call of a custom tool with that text.
 */
export const JSON_OUTPUT_TOOL = 'fairlead_json_output';

const CUSTOM_TOOL_PREFIX = 'fairlead_custom_';

/** A name that a caller's own tool may not have. */
function isReservedToolName(name: string): boolean {
  return name === JSON_OUTPUT_TOOL || name.startsWith(CUSTOM_TOOL_PREFIX);
}

export function reservedName(path: string): Error {
  return invalidRequest(`'${path}' is a name that the gateway needs itself.`, path);
}

/**
 * For APIs at which custom tools, or answers in JSON, are functions.
 *
 * @param index the tool's, among those of the conversation
 * @throws GatewayError `invalid_request` for a name that a caller's own tool may not have
 */
export function checkToolName(conversation: Conversation, name: string, index: number): void {
  if (isReservedToolName(name)) throw reservedName(toolPath(conversation, index, 'name'));
}

export function customToolName(name: string): string {
  return CUSTOM_TOOL_PREFIX + name;
}

/** The caller's name of a custom tool; `undefined` where the tool is none. */
export function readCustomToolName(name: string): string | undefined {
  return name.startsWith(CUSTOM_TOOL_PREFIX) ? name.slice(CUSTOM_TOOL_PREFIX.length) : undefined;
}

/** The name that a tool has on the wire, and in the calls of it, where custom tools are functions. */
export function emulatedName({ kind, name }: Pick<ToolCallPart, 'kind' | 'name'>): string {
  return kind === 'custom' ? customToolName(name) : name;
}

/** The same where a choice names the tool, of which it says no kind. */
export function emulatedChoice(tools: readonly Tool[], name: string): string {
  const isCustom = tools.some((tool) => tool.type === 'custom' && tool.name === name);
  return isCustom ? customToolName(name) : name;
}

const FREE_TEXT_SCHEMA: JsonObject = {
  type: 'object',
  properties: { input: { type: 'string', description: 'The whole input of the tool, as plain text.' } },
  required: ['input'],
};

export interface EmulatedTool {
  name: string;
  /** Empty where there is nothing to say. */
  description: string;
  schema: JsonObject;
  /** It has a grammar, which cannot be enforced: the model is told it, the caller is to hear that it is no more than told. */
  losesFormat: boolean;
}

/** The function that stands for a custom tool. */
export function emulateCustomTool({ name, description, format }: Tool & { type: 'custom' }): EmulatedTool {
  const losesFormat = format !== undefined && format['type'] !== 'text';
  const lines = description ? [description] : [];
  if (losesFormat) lines.push(`The input must follow this format: ${JSON.stringify(format)}`);
  return {
    name: customToolName(name),
    description: lines.join('\n\n'),
    schema: FREE_TEXT_SCHEMA,
    losesFormat,
  };
}

/** The free text in the input of a custom tool; all of the input where the model left the form. */
export function readCustomToolText(input: unknown): string {
  if (typeof input === 'string') return input;
  if (typeof input === 'object' && input !== null && 'input' in input && typeof input.input === 'string') {
    return input.input;
  }
  return JSON.stringify(input);
}

/** The same in arguments that are the text of an object. */
export function readCustomToolArguments(text: string): string {
  return readCustomToolText(tryParseJson(text || '{}') ?? text);
}
