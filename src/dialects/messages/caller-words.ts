import type { Conversation, DialectName } from '../../conversation/conversation.ts';

/** What the caller calls a thing that is no sampling parameter (those are in `dialects/parameters.ts`). */
const WORDS = {
  messages: { chat: 'messages', responses: 'input', messages: 'messages', gemini: 'contents' },
  toolChoice: {
    chat: 'tool_choice',
    responses: 'tool_choice',
    messages: 'tool_choice',
    gemini: 'toolConfig.functionCallingConfig',
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
  toolCallId: {
    chat: 'tool_call_id',
    responses: 'call_id',
    messages: 'tool_use_id',
    gemini: 'functionResponse.id',
  },
} satisfies Record<string, Record<CallerDialect, string>>;

type CallerDialect = Exclude<DialectName, 'converse'>;

export type CallerWord = keyof typeof WORDS;

/** The caller's own word for it. */
export function callerWord(conversation: Conversation, word: CallerWord): string {
  return WORDS[word][callerDialect(conversation)];
}

/** Path of a message in the caller's words. */
export function messagePath(conversation: Conversation, index: number): string {
  return `${callerWord(conversation, 'messages')}[${index}]`;
}

const TOOL_FIELDS: Record<CallerDialect, Record<'name' | 'schema' | 'strict' | 'format', string>> = {
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

/** Path of a tool's field in the caller's words. */
export function toolPath(
  conversation: Conversation,
  index: number,
  field: 'name' | 'schema' | 'strict' | 'format',
): string {
  return `tools[${index}].${TOOL_FIELDS[callerDialect(conversation)][field]}`;
}

/** Nobody calls in `converse`, it is spoken upstream only; its conversations could only be ours, named as in chat. */
function callerDialect({ dialect }: Conversation): CallerDialect {
  return dialect === 'converse' ? 'chat' : dialect;
}
