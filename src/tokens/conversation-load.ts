import type {
  Conversation,
  DialectName,
  MediaSource,
  Message,
  Part,
  Tool,
} from '../conversation/conversation.ts';
import { type JsonValue, tryParseJson } from '../conversation/json.ts';
import type { TokenFamily } from './families.ts';
import { readImageSize } from './image-size.ts';
import { imageTokens } from './image-tokens.ts';
import { audioTokens, fileText, fileTokens, isMedium } from './media-tokens.ts';
import { saysAll, takesArguments, writeToolTypes } from './tool-text.ts';

/** What there is to count: only the texts need an encoder. */
export interface TokenLoad {
  texts: string[];
  /** Tokens that no text stands for: frames of messages and tools, media. In tokens of the family. */
  fixed: number;
  /** Texts that a provider may leave out, and another may not: only what must be no less than the truth counts them. */
  besides: string[];
  /** What of the request all of that stands for, as it stands there. */
  standsFor: JsonValue[];
}

function emptyLoad(fixed: number): TokenLoad {
  return { texts: [], fixed, besides: [], standsFor: [] };
}

/**
 * What a conversation comes to as a model's input, by the family's rules (`families.ts`): messages with what frames
 * them, tool calls and results, tools, the response format, media. Reasoning of earlier turns is none: providers leave
 * it out of the prompt (Anthropic "Extended thinking", DeepSeek "Reasoning model") or count it no more.
 */
export function weighConversation(conversation: Conversation, family: TokenFamily): TokenLoad {
  const load = emptyLoad(family.perConversation);
  for (const message of conversation.messages) addMessage(load, message, family, conversation.dialect);
  if (conversation.tools.length > 0) addTools(load, conversation, family);
  const { responseFormat, reasoning } = conversation;
  if (reasoning?.budgetTokens !== undefined) load.fixed += family.thinking;
  if (responseFormat?.type === 'json_schema') {
    const { name, description, schema } = responseFormat;
    load.fixed += family.responseFormat ?? 0;
    const texts = family.responseFormat === undefined ? load.besides : load.texts;
    texts.push(JSON.stringify({ name, description, schema }));
    standFor(load, name, description, schema);
  }
  return load;
}

/** What an answer comes to as a model's output, reasoning included. */
export function weighAnswer(parts: readonly Part[], family: TokenFamily): TokenLoad {
  const load = emptyLoad(0);
  for (const part of parts) {
    if (part.type === 'reasoning') load.texts.push(part.text);
    else addPart(load, part, family, 'chat');
    if (part.type === 'tool_call') load.fixed += family.calls.alone;
  }
  return load;
}

function standFor(load: TokenLoad, ...values: (JsonValue | undefined)[]): void {
  for (const value of values) if (value !== undefined) load.standsFor.push(value);
}

function addText(load: TokenLoad, text: string): void {
  load.texts.push(text);
  load.standsFor.push(text);
}

function addMessage(
  load: TokenLoad,
  { name, parts }: Message,
  family: TokenFamily,
  dialect: DialectName,
): void {
  const calls = parts.filter(({ type }) => type === 'tool_call').length;
  const results = parts.filter(({ type }) => type === 'tool_result').length;
  // Each result stands as a message of its own, also where a dialect puts several into one.
  load.fixed += family.perMessage * Math.max(1, results);
  load.fixed += calls * (calls > 1 ? family.calls.parallel : family.calls.alone);
  if (name !== undefined) {
    addText(load, name);
    load.fixed += 1;
  }
  for (const part of parts) addPart(load, part, family, dialect);
}

/** Dialects in which a call's arguments are an object; in the others they are its text. */
const OBJECT_ARGUMENTS: ReadonlySet<DialectName> = new Set(['messages', 'gemini']);

function addPart(load: TokenLoad, part: Part, family: TokenFamily, dialect: DialectName): void {
  if ('signature' in part && part.signature && family.perSignatureChar > 0) {
    load.fixed += Math.ceil(part.signature.value.length * family.perSignatureChar);
    load.standsFor.push(part.signature.value);
  }
  switch (part.type) {
    case 'text':
    case 'refusal':
      addText(load, part.text);
      return;
    case 'reasoning':
      load.besides.push(part.text);
      load.standsFor.push(part.text);
      return;
    case 'tool_call':
      load.texts.push(part.name, part.arguments);
      standFor(load, part.name, argumentsAsSent(part.arguments, dialect));
      return;
    case 'tool_result':
      for (const inner of part.parts) addPart(load, inner, family, dialect);
      return;
    case 'image': {
      const size = part.source.kind === 'data' ? readImageSize(part.source.base64) : undefined;
      load.fixed += imageTokens(family.image, size, part.detail);
      standForMedium(load, part.source);
      return;
    }
    case 'audio':
      load.fixed += audioTokens(part);
      standForMedium(load, part.source);
      return;
    case 'file': {
      const text = fileText(part);
      if (text === undefined) load.fixed += fileTokens(part);
      else load.texts.push(text);
      // What is neither a text nor pages, sound or pictures may hold any number of words.
      if (text !== undefined || isMedium(part)) standForMedium(load, part.source);
      return;
    }
    case 'opaque':
      load.texts.push(JSON.stringify(part.value));
      load.standsFor.push(part.value);
  }
}

function argumentsAsSent(text: string, dialect: DialectName): JsonValue {
  return OBJECT_ARGUMENTS.has(dialect) ? (tryParseJson(text) ?? text) : text;
}

/** What is only named stands for nothing: the name is short. */
function standForMedium(load: TokenLoad, source: MediaSource): void {
  if (source.kind === 'text') load.standsFor.push(source.text);
  if (source.kind === 'data') load.standsFor.push(source.base64, source.mediaType);
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
    else if (!saysAll(tool)) load.besides.push(toolJson(tool));
    standForTool(load, tool);
  }
}

function standForTool(load: TokenLoad, tool: Tool): void {
  if (tool.type === 'opaque') {
    load.standsFor.push(tool.value);
    return;
  }
  const { name, description, extra } = tool;
  standFor(load, tool.type === 'function' ? tool.schema : tool.format);
  // Each tool of a namespace has the description of the whole in its own, and the whole beside it.
  if (extra?.fields['namespace'] !== undefined) return;
  standFor(load, name, description);
  if (!extra) return;
  load.besides.push(JSON.stringify(extra.fields));
  load.standsFor.push(extra.fields);
}

function toolJson(tool: Tool): string {
  if (tool.type === 'opaque') return JSON.stringify(tool.value);
  const { name, description } = tool;
  const takes = tool.type === 'function' ? { parameters: tool.schema } : { format: tool.format };
  return JSON.stringify({ name, description, ...takes });
}
