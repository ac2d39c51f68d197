import { isObject, type JsonObject } from '../conversation/json.ts';
import type { Prompt } from './compile-prompt.ts';
import { componentSchemas } from './component-schemas.ts';
import { parameterSchema } from './parameters.ts';
import { promptPath } from './prompt-path.ts';
import { namesType, propertiesOf } from './text-values.ts';

/** What prompts add to an OpenAPI 3.1 document. */
export interface PromptOperations {
  paths: Record<string, JsonObject>;
  schemas: Record<string, JsonObject>;
}

/**
 * Each prompt as an operation of its own, `POST /v1/prompts/NAME`, with its own schemas; without those whose names would break a client of all.
 *
 * @param error the schema of errors, where the document has it
 */
export function describeOperations(prompts: readonly Prompt[], error: JsonObject): PromptOperations {
  const operations: PromptOperations = { paths: {}, schemas: {} };
  const taken = new Set<string>();
  for (const prompt of prompts) {
    // One that is stored from before names could hold no '%': openapi-typescript decodes paths twice, and gives no client at all for it.
    if (prompt.name.includes('%')) continue;
    const id = takeId(prompt.name, taken);
    const { schemas } = operations;
    const input = `${id}_input`;
    Object.assign(schemas, componentSchemas(inputSchema(prompt), input, true));
    const form = prompt.mediaInputs.size > 0 ? `${id}_form` : undefined;
    if (form !== undefined) Object.assign(schemas, componentSchemas(formSchema(prompt), form, true));
    const output = `${id}_output`;
    if (prompt.output.format === 'json')
      Object.assign(schemas, componentSchemas(prompt.output.check?.schema ?? {}, output, false));
    operations.paths[promptPath(prompt.name)] = {
      post: describeOperation(prompt, { id, input, form, output, error }),
    };
  }
  return operations;
}

/** A name may hold what no identifier does: `support/triage` and `support-triage` would be the same. What is rarer than that is its number. */
function takeId(name: string, taken: Set<string>): string {
  const written = name.replace(/[^\w/-]/gu, (character) => `_${character.codePointAt(0)?.toString(16)}_`);
  const plain = written.replace(/\W/g, '_');
  let id = plain;
  for (let number = 2; taken.has(id); number++) id = `${plain}_${number}`;
  taken.add(id);
  return id;
}

function describeOperation(
  { name, description, output, overrides, tools }: Prompt,
  of: { id: string; input: string; form: string | undefined; output: string; error: JsonObject },
): JsonObject {
  const hasTools = tools.length > 0;
  const whole: JsonObject = hasTools
    ? { 'application/json': { schema: { ...ANYTHING, description: IN_DIALECT } } }
    : output.format === 'json'
      ? { 'application/json': { schema: refTo(of.output) } }
      : { 'text/plain': { schema: { type: 'string' } } };
  return {
    operationId: of.id,
    summary: description ?? `The prompt '${name}'.`,
    tags: ['prompts'],
    security: [{ tenantKey: [] }],
    parameters: [
      hasTools ? DIALECT : FORMAT,
      { name: 'stream', in: 'query', description: STREAM, schema: { type: 'boolean' } },
      ...[...overrides].map((parameter) => ({
        ...{ name: parameter, in: 'query' },
        schema: parameterSchema(parameter),
      })),
    ],
    requestBody: {
      required: true,
      content: {
        'application/json': { schema: refTo(of.input) },
        ...(of.form !== undefined && { 'multipart/form-data': { schema: refTo(of.form) } }),
      },
    },
    responses: {
      '200': {
        description: 'The output.',
        content: { ...whole, 'text/event-stream': { schema: { type: 'string', description: EVENTS } } },
      },
      default: {
        description: 'What is wrong, and where.',
        content: { 'application/json': { schema: of.error } },
      },
    },
  };
}

const ANYTHING: JsonObject = { type: 'object', additionalProperties: true };
const DIALECTS = ['chat', 'responses', 'messages'];
const FORMAT: JsonObject = {
  name: 'format',
  in: 'query',
  description:
    'The answer of a dialect in the place of the output: it does not have the schema that is said here.',
  schema: { type: 'string', enum: ['output', ...DIALECTS], default: 'output' },
};
const DIALECT: JsonObject = {
  name: 'format',
  in: 'query',
  required: true,
  description: 'Whose answers it is to be: one that calls tools has no output.',
  schema: { type: 'string', enum: DIALECTS },
};
const IN_DIALECT = 'The answer of the dialect.';
const STREAM = 'Answers with events, as `Accept: text/event-stream` does.';
const EVENTS =
  'Events `delta`, with `text` or `partial_json`; then `output`, with the whole `output`, or `error`, with an `error`.';

const MESSAGES: JsonObject = {
  type: 'array',
  description: 'Earlier messages of the conversation.',
  items: {
    type: 'object',
    properties: {
      role: { type: 'string', enum: ['user', 'assistant'] },
      content: { type: 'string' },
    },
    required: ['role', 'content'],
  },
};

const TOOL_MESSAGES: JsonObject = {
  type: 'array',
  description: 'Messages of the chat dialect: what the model has called, and what came of it.',
  items: ANYTHING,
};

/** What a caller sends: what has a default may be left out, and a history may stand beside it. */
function inputSchema({ input, inputDefaults, takesHistory, tools }: Prompt): JsonObject {
  const schema = input?.schema ?? ANYTHING;
  const properties = propertiesOf(schema);
  const { required } = schema;
  const asked = Array.isArray(required)
    ? { required: required.filter((name) => !Object.hasOwn(inputDefaults, String(name))) }
    : {};
  const messages = tools.length > 0 ? TOOL_MESSAGES : takesHistory ? MESSAGES : undefined;
  if (!messages || properties['messages'] !== undefined) return { ...schema, ...asked };
  return { ...schema, ...asked, properties: { ...properties, messages } };
}

/** The same input as a form: where it has media there are files, and a list is its items one by one (OpenAPI 3.1.1, 4.8.15.1). */
function formSchema(prompt: Prompt): JsonObject {
  const schema = inputSchema(prompt);
  const properties = { ...propertiesOf(schema) };
  for (const name of prompt.mediaInputs) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const isList = isObject(property) && namesType(property, 'array');
    const description = isObject(property) ? property['description'] : undefined;
    properties[name] = {
      ...(isList ? { type: 'array', items: FILE } : FILE),
      ...(description !== undefined && { description }),
    };
  }
  if (properties['messages'] === MESSAGES || properties['messages'] === TOOL_MESSAGES)
    properties['messages'] = {
      ...{ type: 'string', contentMediaType: 'application/json' },
      description: 'Earlier messages, as JSON.',
    };
  return { ...schema, properties };
}

/** Generators know a file by the format; the media type is how OpenAPI 3.1 says it. */
const FILE: JsonObject = {
  ...{ type: 'string', format: 'binary', contentMediaType: 'application/octet-stream' },
};

function refTo(component: string): JsonObject {
  return { $ref: `#/components/schemas/${component}` };
}
