import type { Conversation } from '../conversation/conversation.ts';
import type { CallerDialectName } from './dialect.ts';

/**
 * What callers call the things that a model may be unable to do, so that refusals and `x-fairlead-dropped` name them in
 * the caller's own words. Sampling parameters are in `parameters.ts`.
 */
const WORDS = {
  messages: { chat: 'messages', responses: 'input', messages: 'messages', gemini: 'contents' },
  participantName: {
    chat: 'messages[].name',
    responses: 'input[].name',
    messages: 'messages[].name',
    gemini: 'contents[].name',
  },
  toolChoice: {
    chat: 'tool_choice',
    responses: 'tool_choice',
    messages: 'tool_choice',
    gemini: 'toolConfig.functionCallingConfig',
  },
  parallelToolCalls: {
    chat: 'parallel_tool_calls',
    responses: 'parallel_tool_calls',
    messages: 'tool_choice.disable_parallel_tool_use',
    gemini: 'toolConfig',
  },
  strictTool: {
    chat: 'tools[].function.strict',
    responses: 'tools[].strict',
    messages: 'tools[].strict',
    gemini: 'tools',
  },
  toolCallId: {
    chat: 'tool_call_id',
    responses: 'call_id',
    messages: 'tool_use_id',
    gemini: 'functionResponse.id',
  },
  reasoning: {
    chat: 'reasoning_effort',
    responses: 'reasoning.effort',
    messages: 'thinking',
    gemini: 'generationConfig.thinkingConfig',
  },
  effort: {
    chat: 'reasoning_effort',
    responses: 'reasoning.effort',
    messages: 'output_config.effort',
    gemini: 'generationConfig.thinkingConfig.thinkingLevel',
  },
  thinkingBudget: {
    chat: 'reasoning_effort',
    responses: 'reasoning.effort',
    messages: 'thinking.budget_tokens',
    gemini: 'generationConfig.thinkingConfig.thinkingBudget',
  },
  responseFormat: {
    chat: 'response_format',
    responses: 'text.format',
    messages: 'output_config.format',
    gemini: 'generationConfig.responseSchema',
  },
  imageDetail: {
    chat: 'image_url.detail',
    responses: 'input_image.detail',
    messages: 'image.detail',
    gemini: 'mediaResolution',
  },
  cacheHint: {
    chat: 'cache_control',
    responses: 'cache_control',
    messages: 'cache_control',
    gemini: 'cachedContent',
  },
} satisfies Record<string, Record<CallerDialectName, string>>;

export type CallerWord = keyof typeof WORDS;

/** The caller's own word for it. */
export function callerWord(conversation: Conversation, word: CallerWord): string {
  return WORDS[word][callerDialect(conversation)];
}

/** Where a message stands in the caller's request, as far as its place there is known. */
export function messagePath(conversation: Conversation, index: number, field = ''): string {
  // Only chat keeps one neutral message to one of its own; other decoders split and lift.
  const list = callerWord(conversation, 'messages');
  const path = callerDialect(conversation) === 'chat' ? `${list}[${index}]` : list;
  return field === '' ? path : `${path}.${field}`;
}

const TOOL_FIELDS: Record<CallerDialectName, Record<ToolField, string>> = {
  chat: {
    name: 'function.name',
    schema: 'function.parameters',
    strict: 'function.strict',
    format: 'custom.format',
  },
  responses: { name: 'name', schema: 'parameters', strict: 'strict', format: 'format' },
  messages: { name: 'name', schema: 'input_schema', strict: 'strict', format: 'format' },
  gemini: { name: 'name', schema: 'parameters', strict: 'strict', format: 'format' },
};

type ToolField = 'name' | 'schema' | 'strict' | 'format';

/** Path of a tool's field in the caller's words. */
export function toolPath(conversation: Conversation, index: number, field: ToolField): string {
  return `tools[${index}].${TOOL_FIELDS[callerDialect(conversation)][field]}`;
}

/** A conversation in `converse` could only be ours, named as in chat. */
function callerDialect({ dialect }: Conversation): CallerDialectName {
  return dialect === 'converse' ? 'chat' : dialect;
}
