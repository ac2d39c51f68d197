import type { Conversation } from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { converse } from '../../../src/dialects/converse/index.ts';

export const CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
export const CLAUDE_4 = 'us.anthropic.claude-sonnet-4-20250514-v1:0';
export const NOVA = 'us.amazon.nova-pro-v1:0';
export const NOVA_2 = 'us.amazon.nova-2-lite-v1:0';
export const LLAMA = 'us.meta.llama4-maverick-17b-instruct-v1:0';
export const GPT_OSS = 'openai.gpt-oss-120b-1:0';
export const MISTRAL_LARGE = 'mistral.mistral-large-2402-v1:0';

/** A conversation of a chat caller with one question, and what is said beside it. */
export function conversation(change: Partial<Conversation> = {}): Conversation {
  return {
    dialect: 'chat',
    model: 'm',
    stream: false,
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }],
    tools: [],
    parameters: {},
    ...change,
  };
}

export function encode(
  change: Partial<Conversation> = {},
  model = CLAUDE,
): { body: JsonObject; dropped: string[] } {
  return converse.encodeRequest(conversation(change), model);
}
