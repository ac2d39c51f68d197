import type { Conversation, Extra, Part, ReasoningPart } from '../conversation/conversation.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';
import type { CallerDialectName } from './dialect.ts';
import { placeOf } from './places.ts';

/**
 * What callers call the things that a model may be unable to do, so that refusals and `x-fairlead-dropped` name them in
 * the caller's own words. Sampling parameters are in `parameters.ts`.
 */
const WORDS = {
  messages: { chat: 'messages', responses: 'input', messages: 'messages', gemini: 'contents' },
  instructingRole: {
    chat: 'messages[].role',
    responses: 'input[].role',
    messages: 'messages[].role',
    gemini: 'systemInstruction',
  },
  participantName: {
    chat: 'name',
    responses: 'name',
    messages: 'name',
    gemini: 'name',
  },
  signedReasoning: {
    chat: 'messages[].reasoning_details',
    responses: 'input[].encrypted_content',
    messages: 'messages[].content[].signature',
    gemini: 'contents[].parts[].thoughtSignature',
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
  /** The id of a call, as `toolCallId` is that of the call that a result answers. */
  calledId: {
    chat: 'id',
    responses: 'call_id',
    messages: 'id',
    gemini: 'functionCall.id',
  },
  reasoningText: {
    chat: 'reasoning.exclude',
    responses: 'reasoning.summary',
    messages: 'thinking.display',
    gemini: 'generationConfig.thinkingConfig.includeThoughts',
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
    chat: 'thinking.budget_tokens',
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
  fileName: {
    chat: 'file.filename',
    responses: 'filename',
    messages: 'title',
    gemini: 'displayName',
  },
  additionalProperties: {
    chat: 'response_format.json_schema.schema.additionalProperties',
    responses: 'text.format.schema.additionalProperties',
    messages: 'output_config.format.schema.additionalProperties',
    gemini: 'generationConfig.responseSchema.additionalProperties',
  },
  imageDetail: {
    chat: 'image_url.detail',
    responses: 'detail',
    messages: 'detail',
    gemini: 'mediaResolution',
  },
  failedResult: {
    chat: 'is_error',
    responses: 'is_error',
    messages: 'is_error',
    gemini: 'functionResponse.response.error',
  },
  cacheHint: {
    chat: 'cache_control',
    responses: 'prompt_cache_breakpoint',
    messages: 'cache_control',
    gemini: 'cachedContent',
  },
} satisfies Record<string, Record<CallerDialectName, string>>;

export type CallerWord = keyof typeof WORDS;

/** The caller's own word for it. */
export function callerWord(conversation: Conversation, word: CallerWord): string {
  if (word === 'toolChoice' && conversation.spelling?.toolChoice) return conversation.spelling.toolChoice;
  const asSaid = word === 'reasoning' || word === 'effort' ? wordOfWish(conversation, word) : undefined;
  if (asSaid !== undefined) return asSaid;
  const said = WORDS[word][callerDialect(conversation)];
  return word === 'responseFormat' || word === 'additionalProperties' ? inFormat(conversation, said) : said;
}

/** Anthropic's clients have two words for it, Google's two fields for a schema and a third for JSON of any kind. */
function inFormat(conversation: Conversation, said: string): string {
  const former = conversation.spelling?.responseFormat;
  if (former !== undefined) return said.replace(WORDS.responseFormat[callerDialect(conversation)], former);
  if (conversation.dialect !== 'gemini' || hasOpenApiSchema(conversation)) return said;
  const field =
    conversation.responseFormat?.type === 'json_schema' ? 'responseJsonSchema' : 'responseMimeType';
  return said.replace('responseSchema', field);
}

/** Whether the schema was said in Gemini's own form, which has no word for further properties. */
export function hasOpenApiSchema({ extra }: Conversation): boolean {
  const config = extra?.dialect === 'gemini' ? extra.fields['generationConfig'] : undefined;
  return isObject(config) && isObject(config['responseSchema']);
}

/**
 * All that the caller said of its wish to think: Anthropic's clients say thinking and effort apart.
 *
 * @param whole the word of all other callers
 */
export function wordsOfThinking(
  conversation: Conversation,
  whole = callerWord(conversation, 'reasoning'),
): string[] {
  if (conversation.dialect !== 'messages') return [whole];
  const { effort, budgetTokens } = conversation.reasoning ?? {};
  const saysEffort = effort !== undefined && effort !== 'none';
  return [
    ...(budgetTokens !== undefined || !saysEffort ? [callerWord(conversation, 'reasoning')] : []),
    ...(saysEffort ? [callerWord(conversation, 'effort')] : []),
  ];
}

/** Chat's kin have further fields for a wish to think; where it was said in several, OpenAI's counts. */
function wordOfWish({ reasoning }: Conversation, word: 'reasoning' | 'effort'): string | undefined {
  const extra = reasoning?.extra;
  if (extra?.dialect !== 'chat' || extra.fields['reasoning_effort'] !== undefined) return undefined;
  const openRouters = extra.fields['reasoning'];
  if (isObject(openRouters)) {
    return word === 'effort' && openRouters['effort'] !== undefined ? 'reasoning.effort' : 'reasoning';
  }
  return isObject(extra.fields['thinking']) ? 'thinking' : undefined;
}

/** What stands in `x-fairlead-dropped` for a value that was not left out but sent as another. */
export function changedTo(name: string, value: string | number | boolean): string {
  return `${name}=${value}`;
}

/** The caller's word for its budget of thinking: of chat's kin, OpenRouter has another than all others. */
export function thinkingBudgetWord(conversation: Conversation): string {
  const said = conversation.reasoning?.extra;
  const reasoning = said?.dialect === 'chat' ? said.fields['reasoning'] : undefined;
  const isOpenRouters = isObject(reasoning) && typeof reasoning['max_tokens'] === 'number';
  return isOpenRouters ? 'reasoning.max_tokens' : callerWord(conversation, 'thinkingBudget');
}

export function participantField(conversation: Conversation, index: number): string {
  return `${messagePlace(conversation, index)}.${callerWord(conversation, 'participantName')}`;
}

/** A thing that a part says beside its content, as the caller would point at it. */
export function partField(conversation: Conversation, part: object, word: CallerWord): string {
  const place = placeOf(part);
  return place === undefined ? callerWord(conversation, word) : `${place}.${callerWord(conversation, word)}`;
}

/** Where a message stands in the caller's request, as far as its place there is known. */
export function messagePath(conversation: Conversation, index: number, field = ''): string {
  // Only chat keeps one neutral message to one of its own; other decoders split and lift.
  const list = callerWord(conversation, 'messages');
  const known = placeOf(conversation.messages[index]) ?? list;
  const path = callerDialect(conversation) === 'chat' ? `${list}[${index}]` : known;
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
  const place = toolPlace(conversation, index);
  const word = TOOL_FIELDS[callerDialect(conversation)][field];
  // In OpenAI's deprecated form nothing stands around the function.
  return `${place}.${place.startsWith('functions') ? word.replace('function.', '') : word}`;
}

/** A message, a part or a tool as the caller would point at it; `[]` where its place is not known. */
export function messagePlace(conversation: Conversation, index: number): string {
  const list = callerWord(conversation, 'messages');
  if (callerDialect(conversation) === 'chat') return `${list}[${index}]`;
  return placeOf(conversation.messages[index]) ?? `${list}[]`;
}

export function toolPlace(conversation: Conversation, index: number): string {
  return placeOf(conversation.tools[index]) ?? `tools[${index}]`;
}

/** Where each part of a message stands. */
export function partPaths(conversation: Conversation, index: number): string[] {
  const { parts = [], extra } = conversation.messages[index] ?? {};
  const caller = callerDialect(conversation);
  return caller === 'chat'
    ? chatPartPaths(parts, extra, index)
    : parts.map(
        (part) =>
          placeOf(part) ?? (caller === 'responses' && ITEMS.has(part.type) ? 'input[]' : PART_PLACES[caller]),
      );
}

/** Parts that are items of their own in `responses`. */
const ITEMS: ReadonlySet<Part['type']> = new Set(['tool_call', 'tool_result', 'reasoning', 'opaque']);

const PART_PLACES: Record<Exclude<CallerDialectName, 'chat'>, string> = {
  responses: 'input[].content[]',
  messages: 'messages[].content[]',
  gemini: 'contents[].parts[]',
};

/** Reasoning and tool calls have fields of their own in chat, beside the content. */
function chatPartPaths(parts: readonly Part[], extra: Extra | undefined, index: number): string[] {
  const path = `messages[${index}]`;
  let contents = 0;
  let calls = 0;
  return parts.map((part) => {
    if (part.type === 'tool_result') return path;
    if (part.type === 'tool_call') return `${path}.tool_calls[${calls++}]`;
    // Mistral's form of reasoning is a part of the content.
    const isBeside = part.type === 'reasoning' && part.extra?.fields['type'] !== 'thinking';
    return isBeside ? `${path}.${chatReasoningField(part, extra)}` : `${path}.content[${contents++}]`;
  });
}

function chatReasoningField({ signature, encrypted }: ReasoningPart, extra: Extra | undefined): string {
  // Readable reasoning that is not to be taken for the provider's own has an empty one (`conversation/disown-reasoning.ts`).
  if ((signature ?? encrypted)?.value) return SIGNATURES.chat;
  const said = ['reasoning', 'reasoning_details'].find((key) => extra && Object.hasOwn(extra.fields, key));
  return said ?? 'reasoning_content';
}

const RESULT_PARTS: Record<Exclude<CallerDialectName, 'chat'>, string> = {
  responses: 'output[]',
  messages: 'content[]',
  gemini: 'functionResponse.parts[]',
};

/** Where a part of a tool's result stands; `path` is that of the result. */
export function resultPartPath(
  conversation: Conversation,
  path: string,
  index: number,
  part: object | undefined,
): string {
  const caller = callerDialect(conversation);
  const place = caller === 'chat' ? undefined : placeOf(part);
  if (place !== undefined) return place;
  return `${path}.${caller === 'chat' ? `content[${index}]` : RESULT_PARTS[caller]}`;
}

const SIGNATURES: Record<CallerDialectName, string> = {
  chat: 'reasoning_details',
  responses: 'encrypted_content',
  messages: 'signature',
  gemini: 'thoughtSignature',
};

/** Where the signature of a text, an image or a tool call stands: in chat at the message, else at the part. */
export function signaturePath(conversation: Conversation, index: number, path: string): string {
  const caller = callerDialect(conversation);
  return `${caller === 'chat' ? messagePlace(conversation, index) : path}.${SIGNATURES[caller]}`;
}

/** A conversation in `converse` could only be ours, named as in chat. */
function callerDialect({ dialect }: Conversation): CallerDialectName {
  return dialect === 'converse' ? 'chat' : dialect;
}

/** What a part or tool that only another dialect knows is called in messages to the caller. */
export function opaqueName(value: JsonObject): string {
  const type = value['type'];
  // Gemini's tools and parts have no type; their one key says what they are.
  return typeof type === 'string' ? type : (Object.keys(value)[0] ?? 'unknown');
}
