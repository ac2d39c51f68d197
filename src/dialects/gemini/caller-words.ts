import type { Conversation, DialectName } from '../../conversation/conversation.ts';

/** What callers of each dialect call the things that a Gemini model may be unable to do. */
const WORDS = {
  reasoning: {
    chat: 'reasoning_effort',
    responses: 'reasoning.effort',
    messages: 'thinking',
    gemini: 'generationConfig.thinkingConfig',
    converse: 'additionalModelRequestFields',
  },
  parallelToolCalls: {
    chat: 'parallel_tool_calls',
    responses: 'parallel_tool_calls',
    messages: 'tool_choice.disable_parallel_tool_use',
    gemini: 'toolConfig',
    converse: 'toolConfig',
  },
  toolChoice: {
    chat: 'tool_choice',
    responses: 'tool_choice',
    messages: 'tool_choice',
    gemini: 'toolConfig',
    converse: 'toolConfig',
  },
  strictTool: {
    chat: 'tools[].function.strict',
    responses: 'tools[].strict',
    messages: 'tools[].strict',
    gemini: 'tools',
    converse: 'toolConfig',
  },
  cacheHint: {
    chat: 'cache_control',
    responses: 'cache_control',
    messages: 'cache_control',
    gemini: 'cachedContent',
    converse: 'cachePoint',
  },
  participantName: {
    chat: 'messages[].name',
    responses: 'input[].name',
    messages: 'messages[].name',
    gemini: 'contents[].name',
    converse: 'messages[].name',
  },
  imageDetail: {
    chat: 'image_url.detail',
    responses: 'input_image.detail',
    messages: 'detail',
    gemini: 'mediaResolution',
    converse: 'detail',
  },
} satisfies Record<string, Record<DialectName, string>>;

export function callerWord(conversation: Conversation, thing: keyof typeof WORDS): string {
  return WORDS[thing][conversation.dialect];
}

const MESSAGE_LISTS: Record<DialectName, string> = {
  chat: 'messages',
  responses: 'input',
  messages: 'messages',
  gemini: 'contents',
  converse: 'messages',
};

/** Where a message stands in the caller's request, as far as its place there is known. */
export function messagePath({ dialect }: Conversation, index: number, field: string): string {
  // Only chat keeps one neutral message to one of its own; other decoders split and lift.
  return dialect === 'chat' ? `messages[${index}].${field}` : MESSAGE_LISTS[dialect];
}
