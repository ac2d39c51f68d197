import type { Conversation, Tool } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import type { ConverseTraits } from './model-traits.ts';

/**
 * Tools of Anthropic's own types that the caller runs: Claude knows them by their types, which Converse has no word for. They go beside its own,
 * in the words of Anthropic's API.
 *
 * Source: Bedrock user guide, "Use a computer use tool to complete an Amazon Bedrock model response" (`additionalModelRequestFields`).
 */
const CLIENT_TOOL = /^(?:bash|computer|text_editor)_\d{8}$/;

/** The tool, where it is one that the model knows; `undefined` for all that providers run. */
export function clientTool(tool: Tool, { reasoning }: ConverseTraits): JsonObject | undefined {
  if (reasoning !== 'claude' || tool.type !== 'opaque' || tool.dialect !== 'messages') return undefined;
  const { type, name } = tool.value;
  const isClients = typeof type === 'string' && CLIENT_TOOL.test(type) && typeof name === 'string';
  return isClients ? tool.value : undefined;
}

/** The names of all of them in a conversation. */
export function clientToolNames({ tools }: Conversation, traits: ConverseTraits): string[] {
  return tools.flatMap((tool) => {
    const value = clientTool(tool, traits);
    return value ? [String(value['name'])] : [];
  });
}
