import {
  allNullable,
  any,
  boolean,
  either,
  integer,
  list,
  map,
  nullable,
  number,
  object,
  oneOf,
  type Shape,
  text,
  union,
} from '../shape.ts';

/**
 * The body of `POST /v1/chat/completions`, from the API reference (create chat completion) and the types of the
 * official SDK. Limits that no reference states have their source beside them.
 */

/** Chat Completions cut ids at 40 (autogen#6377, camel#2215, litellm#17343); 64 is the Responses API. */
const CALL_ID = text({ maxLength: 40 });
/** Seen for definitions and for calls in the history (mcp-use#90, 5ire#33). */
const FUNCTION_NAME = text({ pattern: /^[a-zA-Z0-9_-]+$/, minLength: 1, maxLength: 64 });
/** The limit of 1024 is gone: run-llama/llama_index#18784 (36,000 characters), OpenHands#10184. Agents' tools are longer. */
const FUNCTION_DESCRIPTION = text();

const CACHE_BREAKPOINT = object({ mode: text() });
const TEXT_PART = object({ type: text(), text: text() }, { prompt_cache_breakpoint: CACHE_BREAKPOINT });
const PARTS: Record<string, Shape> = {
  text: TEXT_PART,
  image_url: object(
    {
      type: text(),
      image_url: object({ url: text() }, { detail: oneOf('auto', 'low', 'high', 'original') }),
    },
    { prompt_cache_breakpoint: CACHE_BREAKPOINT },
  ),
  input_audio: object(
    { type: text(), input_audio: object({ data: text(), format: oneOf('wav', 'mp3') }) },
    { prompt_cache_breakpoint: CACHE_BREAKPOINT },
  ),
  file: object(
    { type: text(), file: object({}, { file_data: text(), file_id: text(), filename: text() }) },
    { prompt_cache_breakpoint: CACHE_BREAKPOINT },
  ),
  refusal: object({ type: text(), refusal: text() }),
};

/** Which parts a role takes is a rule of its own (`messages.ts`): a wrong place has another error than a wrong type. */
const CONTENT = nullable(either(text(), list(union('type', PARTS), { minItems: 1 })));
const NAME = nullable(text({ maxLength: 64 }));

const TOOL_CALL = union('type', {
  function: object({
    id: CALL_ID,
    type: text(),
    function: object({ name: FUNCTION_NAME, arguments: text() }),
  }),
  custom: object({ id: CALL_ID, type: text(), custom: object({ name: FUNCTION_NAME, input: text() }) }),
});

const MESSAGE = union('role', {
  system: object({ role: text(), content: CONTENT }, { name: NAME }),
  assistant: object(
    { role: text() },
    {
      content: CONTENT,
      name: NAME,
      refusal: nullable(text()),
      tool_calls: list(TOOL_CALL, { minItems: 1 }),
      function_call: nullable(object({ name: FUNCTION_NAME, arguments: text() })),
      audio: nullable(object({ id: text() })),
      // Part of every answer (`annotations: []`), which the SDK's `runTools` sends back as it came.
      annotations: any,
    },
  ),
  user: object({ role: text(), content: CONTENT }, { name: NAME }),
  function: object({ role: text(), content: CONTENT, name: text() }),
  // The reference has no `name` here, but the examples of the OpenAI cookbook and LangChain send the tool's.
  tool: object({ role: text(), content: CONTENT, tool_call_id: CALL_ID }, { name: NAME }),
  developer: object({ role: text(), content: CONTENT }, { name: NAME }),
});

const JSON_SCHEMA = map(any);
const TOOL = union('type', {
  function: object({
    type: text(),
    function: object(
      { name: FUNCTION_NAME },
      { description: FUNCTION_DESCRIPTION, parameters: JSON_SCHEMA, strict: nullable(boolean) },
    ),
  }),
  custom: object({
    type: text(),
    custom: object({ name: FUNCTION_NAME }, { description: FUNCTION_DESCRIPTION, format: any }),
  }),
});

const TOOL_CHOICE = either(
  oneOf('none', 'auto', 'required'),
  union('type', {
    function: object({ type: text(), function: object({ name: text() }) }),
    custom: object({ type: text(), custom: object({ name: text() }) }),
    allowed_tools: object({
      type: text(),
      allowed_tools: object({ mode: oneOf('auto', 'required'), tools: list(map(any)) }),
    }),
  }),
);

const RESPONSE_FORMAT = union('type', {
  text: object({ type: text() }),
  json_object: object({ type: text() }),
  json_schema: object({
    type: text(),
    json_schema: object(
      { name: FUNCTION_NAME },
      { description: text(), schema: JSON_SCHEMA, strict: nullable(boolean) },
    ),
  }),
});

const PARAMETERS = allNullable({
  audio: map(any),
  frequency_penalty: number({ min: -2, max: 2 }),
  function_call: either(oneOf('none', 'auto'), object({ name: text() })),
  /** Deprecated in favour of `tools`, which has the limits. */
  functions: list(
    object({ name: FUNCTION_NAME }, { description: FUNCTION_DESCRIPTION, parameters: JSON_SCHEMA }),
    { minItems: 1, maxItems: 128 },
  ),
  logit_bias: map(number({ min: -100, max: 100 })),
  logprobs: boolean,
  max_completion_tokens: integer({ min: 1 }),
  max_tokens: integer({ min: 1 }),
  metadata: map(text({ maxLength: 512 })),
  modalities: list(oneOf('text', 'audio')),
  moderation: object({ model: text() }, { policy: any }),
  n: integer({ min: 1, max: 128 }),
  parallel_tool_calls: boolean,
  prediction: map(any),
  presence_penalty: number({ min: -2, max: 2 }),
  prompt_cache_key: text(),
  prompt_cache_options: map(any),
  prompt_cache_retention: oneOf('in_memory', '24h'),
  reasoning_effort: oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'),
  response_format: RESPONSE_FORMAT,
  safety_identifier: text({ maxLength: 64 }),
  seed: integer(),
  service_tier: oneOf('auto', 'default', 'flex', 'scale', 'priority', 'fast'),
  stop: either(text(), list(text(), { maxItems: 4 })),
  store: boolean,
  stream: boolean,
  stream_options: object({}, { include_usage: boolean, include_obfuscation: boolean }),
  temperature: number({ min: 0, max: 2 }),
  tool_choice: TOOL_CHOICE,
  /** At most 128 (hexstrike-ai#29), not none (vllm#39780). */
  tools: list(TOOL, { minItems: 1, maxItems: 128 }),
  top_logprobs: integer({ min: 0, max: 20 }),
  top_p: number({ min: 0, max: 1 }),
  // maximhq/bifrost#1000; the reference says it of `safety_identifier`, which takes its place.
  user: text({ maxLength: 64 }),
  verbosity: oneOf('low', 'medium', 'high'),
  web_search_options: map(any),
});

export const CHAT_REQUEST: Shape = object(
  { model: text(), messages: list(MESSAGE, { minItems: 1 }) },
  PARAMETERS,
);

/** What OpenAI-compatible servers of reasoning models take beside (DeepSeek's `reasoning_content`). */
export const COMPATIBLE_ASSISTANT_FIELDS: readonly string[] = ['reasoning_content'];

export const EMBEDDINGS_REQUEST: Shape = object(
  {
    model: text(),
    input: either(
      text({ minLength: 1 }),
      list(either(text({ minLength: 1 }), integer({ min: 0 }), list(integer({ min: 0 }), { minItems: 1 })), {
        minItems: 1,
      }),
    ),
  },
  {
    encoding_format: oneOf('float', 'base64'),
    dimensions: integer({ min: 1 }),
    user: text(),
  },
);
