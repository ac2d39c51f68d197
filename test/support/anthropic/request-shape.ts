import {
  any,
  boolean,
  either,
  type Fields,
  integer,
  lazy,
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
 * The body of `POST /v1/messages`, from the API reference (create a message) and the types of the official SDK.
 * Limits that no reference states have their source beside them.
 */

const TYPE = text();
const CACHE_CONTROL = nullable(
  union('type', { ephemeral: object({ type: TYPE }, { ttl: oneOf('5m', '1h') }) }),
);
const CACHED: Fields = { cache_control: CACHE_CONTROL };

const IMAGE_TYPES = oneOf('image/jpeg', 'image/png', 'image/gif', 'image/webp');
const URL_SOURCE = object({ type: TYPE, url: text() });
const FILE_SOURCE = object({ type: TYPE, file_id: text() });
const IMAGE_SOURCE = union('type', {
  base64: object({ type: TYPE, data: text(), media_type: IMAGE_TYPES }),
  url: URL_SOURCE,
  file: FILE_SOURCE,
});
const DOCUMENT_SOURCE = union('type', {
  base64: object({ type: TYPE, data: text(), media_type: oneOf('application/pdf') }),
  text: object({ type: TYPE, data: text(), media_type: oneOf('text/plain') }),
  content: object({ type: TYPE, content: either(text(), list(lazy(() => RESULT_BLOCK))) }),
  url: URL_SOURCE,
  file: FILE_SOURCE,
});

const TEXT_BLOCK = object({ type: TYPE, text: text() }, { ...CACHED, citations: nullable(list(any)) });
const IMAGE_BLOCK = object({ type: TYPE, source: IMAGE_SOURCE }, CACHED);
const DOCUMENT_BLOCK = object(
  { type: TYPE, source: DOCUMENT_SOURCE },
  { ...CACHED, citations: nullable(map(any)), context: nullable(text()), title: nullable(text()) },
);
const SEARCH_RESULT_BLOCK = object(
  { type: TYPE, content: list(TEXT_BLOCK), source: text(), title: text() },
  { ...CACHED, citations: map(any) },
);

const RESULT_BLOCK: Shape = union('type', {
  text: TEXT_BLOCK,
  image: IMAGE_BLOCK,
  document: DOCUMENT_BLOCK,
  search_result: SEARCH_RESULT_BLOCK,
  tool_reference: object({ type: TYPE, tool_name: text() }, CACHED),
});

/** vercel/ai#17769 for names; ids: "String should match pattern '^[a-zA-Z0-9_-]+$'". */
const TOOL_ID = text({ pattern: /^[a-zA-Z0-9_-]+$/ });
/** home-assistant/core#147760 */
const TOOL_NAME = text({ pattern: /^[a-zA-Z0-9_-]{1,128}$/ });

/**
 * Blocks of tools that Anthropic runs itself. The fake runs none of them: they are let through unread, so that
 * histories with them can be sent.
 */
const SERVER_BLOCK_TYPES = [
  'server_tool_use',
  'web_search_tool_result',
  'web_fetch_tool_result',
  'code_execution_tool_result',
  'bash_code_execution_tool_result',
  'text_editor_code_execution_tool_result',
  'tool_search_tool_result',
  'advisor_tool_result',
  'mcp_tool_use',
  'mcp_tool_result',
  'container_upload',
  'compaction',
  'tool_addition',
  'fallback',
];

const BLOCK: Shape = union('type', {
  text: TEXT_BLOCK,
  image: IMAGE_BLOCK,
  document: DOCUMENT_BLOCK,
  search_result: SEARCH_RESULT_BLOCK,
  // No cache_control: router-for-me/CLIProxyAPI#512.
  thinking: object({ type: TYPE, thinking: text(), signature: text() }),
  redacted_thinking: object({ type: TYPE, data: text() }),
  tool_use: object(
    { type: TYPE, id: TOOL_ID, name: TOOL_NAME, input: map(any) },
    { ...CACHED, caller: any, toolset_name: any },
  ),
  tool_result: object(
    { type: TYPE, tool_use_id: TOOL_ID },
    { ...CACHED, content: either(text(), list(RESULT_BLOCK)), is_error: boolean },
  ),
  ...Object.fromEntries(SERVER_BLOCK_TYPES.map((type) => [type, map(any)])),
});

/** Which roles there are is a rule of its own: `system` has its own error. */
const MESSAGE = object({ role: text(), content: either(text(), list(BLOCK)) });

const CUSTOM_TOOL = object(
  { name: TOOL_NAME, input_schema: union('type', { object: map(any) }) },
  {
    ...CACHED,
    type: TYPE,
    description: text(),
    strict: boolean,
    defer_loading: boolean,
    eager_input_streaming: nullable(boolean),
    allowed_callers: list(text()),
    input_examples: list(map(any)),
  },
);

/** Tools that Anthropic runs itself, by the families of their dated type names; their fields are not looked at. */
const SERVER_TOOL_TYPES = [
  'advisor_20260301',
  'bash_20250124',
  'code_execution_20250522',
  'code_execution_20250825',
  'code_execution_20260120',
  'code_execution_20260521',
  'memory_20250818',
  'text_editor_20250124',
  'text_editor_20250429',
  'text_editor_20250728',
  'tool_search_tool_bm25_20251119',
  'tool_search_tool_regex_20251119',
  'web_fetch_20250910',
  'web_fetch_20260209',
  'web_search_20250305',
  'web_search_20260209',
];

const TOOL = union(
  'type',
  { custom: CUSTOM_TOOL, ...Object.fromEntries(SERVER_TOOL_TYPES.map((type) => [type, map(any)])) },
  'custom',
);

const PARALLEL: Fields = { disable_parallel_tool_use: boolean };
const TOOL_CHOICE = union('type', {
  auto: object({ type: TYPE }, PARALLEL),
  any: object({ type: TYPE }, PARALLEL),
  tool: object({ type: TYPE, name: text() }, PARALLEL),
  none: object({ type: TYPE }),
});

const DISPLAY: Fields = { display: nullable(oneOf('summarized', 'omitted')) };
const THINKING = union('type', {
  enabled: object({ type: TYPE, budget_tokens: integer({ min: 1024 }) }, DISPLAY),
  adaptive: object({ type: TYPE }, DISPLAY),
  disabled: object({ type: TYPE }),
});

const OUTPUT_CONFIG = object(
  {},
  {
    effort: nullable(oneOf('low', 'medium', 'high', 'xhigh', 'max')),
    format: nullable(union('type', { json_schema: object({ type: TYPE, schema: map(any) }) })),
    task_budget: nullable(map(any)),
  },
);

const OPTIONAL: Fields = {
  ...CACHED,
  container: any,
  diagnostics: nullable(object({}, { previous_message_id: nullable(text()) })),
  inference_geo: nullable(text()),
  metadata: object({}, { user_id: nullable(text({ maxLength: 256 })) }),
  output_config: OUTPUT_CONFIG,
  service_tier: oneOf('auto', 'standard_only'),
  speed: nullable(oneOf('standard', 'fast')),
  stop_sequences: list(text()),
  stream: boolean,
  system: either(text(), list(union('type', { text: TEXT_BLOCK }))),
  temperature: number({ min: 0, max: 1 }),
  thinking: THINKING,
  tool_choice: TOOL_CHOICE,
  tools: list(TOOL),
  top_k: integer({ min: 0 }),
  top_p: number({ min: 0, max: 1 }),
};

/** Fields that exist only with an `anthropic-beta` header (claude-code#14135: without it they are "extra inputs"). */
export const BETA_FIELDS: Fields = {
  context_management: nullable(map(any)),
  mcp_servers: list(map(any)),
};

/** Exists only with the flag of its own. Source: the official SDK, `BetaMessageThreadParam`. */
const THREAD_FIELDS: Fields = {
  thread: nullable(
    union('type', {
      create: object({ type: TYPE }),
      continue: object({ type: TYPE, previous_message_id: text() }),
    }),
  ),
};

/** `max_tokens: 0` warms the cache up ("Set to `0` to populate the prompt cache"). */
const REQUIRED: Fields = { model: text(), max_tokens: integer({ min: 0 }), messages: list(MESSAGE) };

export const MESSAGES_REQUEST: Shape = object(REQUIRED, OPTIONAL);
export const BETA_MESSAGES_REQUEST: Shape = object(REQUIRED, { ...OPTIONAL, ...BETA_FIELDS });
export const THREAD_REQUEST: Shape = object(REQUIRED, { ...OPTIONAL, ...BETA_FIELDS, ...THREAD_FIELDS });

/** `POST /v1/messages/count_tokens` takes what bears on the prompt. */
export const COUNT_TOKENS_REQUEST: Shape = object(
  { model: text(), messages: list(MESSAGE) },
  Object.fromEntries(
    ['cache_control', 'output_config', 'system', 'thinking', 'tool_choice', 'tools'].map((name) => [
      name,
      OPTIONAL[name] ?? any,
    ]),
  ),
);
