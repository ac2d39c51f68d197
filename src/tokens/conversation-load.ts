import type { Conversation, Message, Part, Tool } from '../conversation/conversation.ts';
import type { TokenFamily } from './families.ts';
import { readImageSize } from './image-size.ts';
import { imageTokens } from './image-tokens.ts';
import { audioTokens, fileText, fileTokens } from './media-tokens.ts';
import { takesArguments, writeToolTypes } from './tool-text.ts';

/** What there is to count: only the texts need an encoder. */
export interface TokenLoad {
  texts: string[];
  /** Tokens that no text stands for: frames of messages and tools, media. In tokens of the family. */
  fixed: number;
}

/**
 * What a conversation comes to as a model's input, by the family's rules (`families.ts`): messages with what frames
 * them, tool calls and results, tools, the response format, media. Reasoning of earlier turns is none: providers leave
 * it out of the prompt (Anthropic "Extended thinking", DeepSeek "Reasoning model") or count it no more.
 */
export function weighConversation(conversation: Conversation, family: TokenFamily): TokenLoad {
  const load: TokenLoad = { texts: [], fixed: family.perConversation };
  for (const message of conversation.messages) addMessage(load, message, family);
  if (conversation.tools.length > 0) addTools(load, conversation, family);
  const { responseFormat, reasoning } = conversation;
  if (reasoning?.budgetTokens !== undefined) load.fixed += family.thinking;
  if (responseFormat?.type === 'json_schema' && family.responseFormat !== undefined) {
    const { name, description, schema } = responseFormat;
    load.fixed += family.responseFormat;
    load.texts.push(JSON.stringify({ name, description, schema }));
  }
  return load;
}

/** What an answer comes to as a model's output, reasoning included. */
export function weighAnswer(parts: readonly Part[], family: TokenFamily): TokenLoad {
  const load: TokenLoad = { texts: [], fixed: 0 };
  for (const part of parts) {
    if (part.type === 'reasoning') load.texts.push(part.text);
    else addPart(load, part, family);
    if (part.type === 'tool_call') load.fixed += family.calls.alone;
  }
  return load;
}

function addMessage(load: TokenLoad, { name, parts }: Message, family: TokenFamily): void {
  const calls = parts.filter(({ type }) => type === 'tool_call').length;
  const results = parts.filter(({ type }) => type === 'tool_result').length;
  // Each result stands as a message of its own, also where a dialect puts several into one.
  load.fixed += family.perMessage * Math.max(1, results);
  load.fixed += calls * (calls > 1 ? family.calls.parallel : family.calls.alone);
  if (name !== undefined) {
    load.texts.push(name);
    load.fixed += 1;
  }
  for (const part of parts) addPart(load, part, family);
}

function addPart(load: TokenLoad, part: Part, family: TokenFamily): void {
  if ('signature' in part && part.signature) {
    load.fixed += Math.ceil(part.signature.value.length * family.perSignatureChar);
  }
  switch (part.type) {
    case 'text':
    case 'refusal':
      load.texts.push(part.text);
      return;
    case 'reasoning':
      return;
    case 'tool_call':
      load.texts.push(part.name, part.arguments);
      return;
    case 'tool_result':
      for (const inner of part.parts) addPart(load, inner, family);
      return;
    case 'image': {
      const size = part.source.kind === 'data' ? readImageSize(part.source.base64) : undefined;
      load.fixed += imageTokens(family.image, size, part.detail);
      return;
    }
    case 'audio':
      load.fixed += audioTokens(part);
      return;
    case 'file': {
      const text = fileText(part);
      if (text === undefined) load.fixed += fileTokens(part);
      else load.texts.push(text);
      return;
    }
    case 'opaque':
      load.texts.push(JSON.stringify(part.value));
  }
}

function addTools(load: TokenLoad, conversation: Conversation, family: TokenFamily): void {
  const { tools, toolChoice, messages } = conversation;
  const rules = family.tools;
  const isForced = toolChoice?.type === 'required' || toolChoice?.type === 'tool';
  const hasSystem = messages.some(({ role }) => role === 'system' || role === 'developer');
  load.fixed += rules.once + (isForced ? rules.forced : 0) - (hasSystem ? rules.inSystem : 0);
  const typed = rules.text === 'typescript' ? tools.filter((tool) => tool.type !== 'opaque') : [];
  if (typed.length > 0) load.texts.push(writeToolTypes(typed));
  load.fixed += rules.withArguments * typed.filter(takesArguments).length;
  for (const tool of tools) {
    if (rules.text === 'json' || tool.type === 'opaque') load.texts.push(toolJson(tool));
  }
}

function toolJson(tool: Tool): string {
  if (tool.type === 'opaque') return JSON.stringify(tool.value);
  const { name, description } = tool;
  const takes = tool.type === 'function' ? { parameters: tool.schema } : { format: tool.format };
  return JSON.stringify({ name, description, ...takes });
}
