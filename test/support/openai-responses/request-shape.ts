import {
  allNullable,
  any,
  boolean,
  either,
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

/** The body of `POST /v1/responses`, from the API reference (create a model response) and the types of the official SDK. */

const CALL_ID = text({ maxLength: 64 });
const ITEM_ID = text({ maxLength: 64 });
const FUNCTION_NAME = text({ pattern: /^[a-zA-Z0-9_-]+$/, minLength: 1, maxLength: 64 });
const STATUS = nullable(oneOf('in_progress', 'completed', 'incomplete'));

const PARTS: Record<string, Shape> = {
  input_text: object({ type: text(), text: text() }),
  input_image: object(
    { type: text() },
    {
      detail: oneOf('low', 'high', 'auto', 'original'),
      image_url: nullable(text()),
      file_id: nullable(text()),
    },
  ),
  input_file: object(
    { type: text() },
    {
      file_data: text(),
      file_id: nullable(text()),
      file_url: text(),
      filename: text(),
      detail: text(),
    },
  ),
  output_text: object({ type: text(), text: text() }, { annotations: list(any), logprobs: list(any) }),
  refusal: object({ type: text(), refusal: text() }),
};
const CONTENT = either(text(), list(union('type', PARTS)));

const ITEMS: Record<string, Shape> = {
  message: object(
    { role: oneOf('user', 'assistant', 'system', 'developer'), content: CONTENT },
    { type: text(), id: ITEM_ID, status: STATUS, phase: nullable(text()) },
  ),
  function_call: object(
    { type: text(), call_id: CALL_ID, name: FUNCTION_NAME, arguments: text() },
    { id: ITEM_ID, status: STATUS },
  ),
  function_call_output: object(
    { type: text(), call_id: CALL_ID, output: CONTENT },
    { id: nullable(ITEM_ID), status: STATUS },
  ),
  custom_tool_call: object(
    { type: text(), call_id: CALL_ID, name: FUNCTION_NAME, input: text() },
    { id: ITEM_ID, status: STATUS },
  ),
  custom_tool_call_output: object({ type: text(), call_id: CALL_ID, output: CONTENT }, { id: ITEM_ID }),
  reasoning: object(
    { type: text(), summary: list(object({ type: oneOf('summary_text'), text: text() })) },
    {
      id: ITEM_ID,
      content: nullable(list(any)),
      encrypted_content: nullable(text()),
      status: STATUS,
    },
  ),
  item_reference: object({ id: ITEM_ID }, { type: nullable(text()) }),
};

const JSON_SCHEMA = map(any);
const TOOL = union('type', {
  function: object(
    { type: text(), name: FUNCTION_NAME, parameters: nullable(JSON_SCHEMA) },
    { description: nullable(text()), strict: nullable(boolean) },
  ),
  custom: object({ type: text(), name: FUNCTION_NAME }, { description: text(), format: any }),
  web_search: map(any),
  namespace: object({ type: text(), name: text(), description: text(), tools: list(map(any)) }),
});

const TOOL_CHOICE = either(
  oneOf('none', 'auto', 'required'),
  union('type', {
    function: object({ type: text(), name: text() }),
    custom: object({ type: text(), name: text() }),
    web_search: object({ type: text() }),
  }),
);

const FORMAT = union('type', {
  text: object({ type: text() }),
  json_object: object({ type: text() }),
  json_schema: object(
    { type: text(), name: FUNCTION_NAME, schema: JSON_SCHEMA },
    { description: text(), strict: nullable(boolean) },
  ),
});

const INCLUDABLE = oneOf(
  'file_search_call.results',
  'web_search_call.results',
  'web_search_call.action.sources',
  'message.input_image.image_url',
  'computer_call_output.output.image_url',
  'code_interpreter_call.outputs',
  'reasoning.encrypted_content',
  'message.output_text.logprobs',
);

const PARAMETERS = allNullable({
  background: boolean,
  // In no reference, but Codex sends it with every request.
  client_metadata: map(text()),
  conversation: either(text(), object({ id: text() })),
  include: list(INCLUDABLE),
  input: either(text(), list(lazy(() => union('type', ITEMS, 'message')))),
  instructions: text(),
  // Public reports of "integer below minimum value. Expected a value >= 16" (e.g. open-webui#13563).
  max_output_tokens: integer({ min: 16 }),
  max_tool_calls: integer({ min: 1 }),
  metadata: map(text({ maxLength: 512 })),
  parallel_tool_calls: boolean,
  previous_response_id: text({ pattern: /^[\w-]+$/, maxLength: 64 }),
  prompt: map(any),
  prompt_cache_key: text(),
  prompt_cache_options: object(
    {},
    {
      comparison_response_id: nullable(text()),
      mode: oneOf('implicit', 'explicit'),
      ttl: oneOf('30m', '12h'),
    },
  ),
  prompt_cache_retention: oneOf('in_memory', '24h'),
  reasoning: object(
    {},
    allNullable({
      effort: oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'),
      summary: oneOf('auto', 'concise', 'detailed'),
      generate_summary: oneOf('auto', 'concise', 'detailed'),
    }),
  ),
  safety_identifier: text(),
  service_tier: oneOf('auto', 'default', 'flex', 'scale', 'priority'),
  store: boolean,
  stream: boolean,
  stream_options: object({}, { include_obfuscation: boolean }),
  temperature: number({ min: 0, max: 2 }),
  text: object({}, { format: FORMAT, verbosity: nullable(oneOf('low', 'medium', 'high')) }),
  tool_choice: TOOL_CHOICE,
  tools: list(TOOL),
  top_logprobs: integer({ min: 0, max: 20 }),
  top_p: number({ min: 0, max: 1 }),
  truncation: oneOf('auto', 'disabled'),
  user: text(),
});

export const RESPONSES_REQUEST: Shape = object({ model: text() }, PARAMETERS);
