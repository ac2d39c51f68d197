import type { Conversation, Tool } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { isClientTool } from '../messages/client-tools.ts';
import type { ConverseTraits } from './model-traits.ts';

/*
 * Tools of Anthropic's own types that the caller runs: Claude knows them by their types, which Converse has no word for. They go beside its own,
 * in the words of Anthropic's API.
 *
 * Sources: Bedrock user guide, "Use a computer use tool to complete an Amazon Bedrock model response" (`additionalModelRequestFields`);
 * aws-samples/anthropic-on-aws, "Getting Started with Claude Memory on AWS Bedrock" (`memory`).
 */

/** Bedrock has the memory tool with this flag alone; at Anthropic nobody need send it any more. */
const MEMORY_FLAG = 'context-management-2025-06-27';
const MEMORY_TOOL = /^memory_/;

/** The tool, where it is one that the model knows; `undefined` for all that providers run. */
export function clientTool(tool: Tool, { reasoning }: ConverseTraits): JsonObject | undefined {
  return reasoning === 'claude' && isClientTool(tool) ? tool.value : undefined;
}

/** Model fields with the flags that the tools in them need, beside those that the caller said there itself. */
export function withToolFlags(fields: JsonObject): JsonObject {
  const { tools, anthropic_beta: said } = fields;
  if (!Array.isArray(tools) || !tools.some(isMemory)) return fields;
  const own = Array.isArray(said) ? said : [];
  return { ...fields, anthropic_beta: [...new Set([...own, MEMORY_FLAG])] };
}

function isMemory(tool: JsonValue): boolean {
  return isObject(tool) && typeof tool['type'] === 'string' && MEMORY_TOOL.test(tool['type']);
}

/** The names of all of them in a conversation. */
export function clientToolNames({ tools }: Conversation, traits: ConverseTraits): string[] {
  return tools.flatMap((tool) => {
    const value = clientTool(tool, traits);
    return value ? [String(value['name'])] : [];
  });
}
