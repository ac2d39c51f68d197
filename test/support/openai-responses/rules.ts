import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { badParameter, listWords } from '../openai/errors.ts';
import { effortsOf, familyOf } from '../openai/models.ts';
import { findSchemaProblem } from '../openai/strict-schema.ts';
import { refuseViolations } from '../openai/violations.ts';
import type { Refusal } from '../refusal.ts';
import { violationsOf } from '../shape.ts';
import { has, objectsOf, stringsOf } from '../values.ts';
import { RESPONSES_REQUEST } from './request-shape.ts';

/** What stands before the items of a request that goes on from an earlier response. */
export type Earlier = readonly JsonObject[];

/** Throws what the real API would answer to this body; returns it as an object when there is nothing to refuse. */
export function checkRequest(body: JsonValue | undefined): JsonObject {
  const request = isObject(body) ? body : {};
  const unknown = violationsOf(request, RESPONSES_REQUEST).find(
    ({ path, problem }) => problem.kind === 'unknown' && path.length === 1,
  );
  // This API's words for it, also at the top level (recorded).
  if (unknown) {
    const name = String(unknown.path[0]);
    throw badParameter(`Unknown parameter: '${name}'.`, name, 'unknown_parameter');
  }
  refuseViolations(request, RESPONSES_REQUEST);
  const refusal =
    refuseSampling(request) ??
    refuseTools(request) ??
    refuseFormat(request) ??
    refuseCombinations(request) ??
    refuseInclude(request);
  if (refusal) throw refusal;
  return request;
}

/** Rules about the items, the earlier ones included. */
export function checkItems(items: readonly JsonObject[], earlier: Earlier, owner: string): void {
  for (const [index, item] of items.entries()) checkItem(item, index, owner);
  checkCalls([...earlier, ...items]);
}

function refuseSampling(request: JsonObject): Refusal | undefined {
  const model = String(request['model']);
  const effort = isObject(request['reasoning']) ? (request['reasoning']['effort'] ?? undefined) : undefined;
  if (!familyOf(model).reasoning) return effort === undefined ? undefined : unsupported('reasoning.effort');
  const efforts = effortsOf(model);
  if (typeof effort === 'string' && efforts && !efforts.includes(effort)) {
    // openai/codex#6647
    return badParameter(
      `Unsupported value: '${effort}' is not supported with the '${model}' model. Supported values are: ${listWords(efforts)}.`,
      'reasoning.effort',
      'unsupported_value',
    );
  }
  if (
    familyOf(model).samplesWithoutEffort &&
    (effort ?? (familyOf(model).plainUnsaid ? 'none' : 'medium')) === 'none'
  )
    return undefined;
  const sampling = ['temperature', 'top_p', 'top_logprobs'].find((name) => has(request, name));
  return sampling === undefined ? undefined : unsupported(sampling);
}

function unsupported(name: string): Refusal {
  return badParameter(
    `Unsupported parameter: '${name}' is not supported with this model.`,
    name,
    'unsupported_parameter',
  );
}

/** In this API `strict` is the default: a schema that does not follow its rules must say that it does not. */
function refuseTools(request: JsonObject): Refusal | undefined {
  for (const [index, tool] of objectsOf(request['tools']).entries()) {
    if (tool['type'] !== 'function' || !isObject(tool['parameters'])) continue;
    const problem = findSchemaProblem(tool['parameters'], tool['strict'] === true);
    if (problem === undefined) continue;
    return badParameter(
      `Invalid schema for function '${tool['name']}': ${problem}`,
      `tools[${index}].parameters`,
      'invalid_function_parameters',
    );
  }
  const choice = request['tool_choice'];
  if (!isObject(choice) || choice['name'] === undefined) return undefined;
  if (objectsOf(request['tools']).some(({ name }) => name === choice['name'])) return undefined;
  return badParameter(
    `Tool choice '${choice['type']}' not found in 'tools' parameter.`,
    'tool_choice',
    'invalid_value',
  );
}

function refuseFormat(request: JsonObject): Refusal | undefined {
  const format = isObject(request['text']) ? request['text']['format'] : undefined;
  if (!isObject(format)) return undefined;
  if (format['type'] === 'json_object' && !/json/i.test(JSON.stringify(request['input'] ?? ''))) {
    return badParameter(
      "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.",
      'input',
    );
  }
  if (!isObject(format['schema'])) return undefined;
  const problem = findSchemaProblem(format['schema'], format['strict'] === true);
  if (problem === undefined) return undefined;
  return badParameter(
    `Invalid schema for response_format '${format['name']}': ${problem}`,
    'text.format.schema',
    'invalid_json_schema',
  );
}

function refuseCombinations(request: JsonObject): Refusal | undefined {
  if (has(request, 'previous_response_id') && has(request, 'conversation')) {
    return badParameter(
      "Mutually exclusive parameters. Ensure you are only providing one of: 'previous_response_id' or 'conversation'.",
      null,
      'mutually_exclusive_parameters',
    );
  }
  if (request['background'] === true && request['store'] === false) {
    return badParameter("Background responses require 'store' to be true.", 'background');
  }
  const hasInput = ['input', 'prompt', 'previous_response_id', 'conversation'].some((name) =>
    has(request, name),
  );
  if (hasInput) return undefined;
  return badParameter("Missing required parameter: 'input'.", 'input', 'missing_required_parameter');
}

/** Recorded: "Encrypted content is not supported with this model." */
function refuseInclude(request: JsonObject): Refusal | undefined {
  if (!stringsOf(request['include']).includes('reasoning.encrypted_content')) return undefined;
  if (familyOf(String(request['model'])).reasoning) return undefined;
  return badParameter('Encrypted content is not supported with this model.', 'include');
}

const ID_PREFIXES: Readonly<Record<string, string>> = {
  message: 'msg',
  function_call: 'fc',
  custom_tool_call: 'ctc',
  reasoning: 'rs',
};

function checkItem(item: JsonObject, index: number, owner: string): void {
  const { type = 'message', id } = item;
  const prefix = ID_PREFIXES[String(type)];
  if (typeof id === 'string' && prefix !== undefined && !id.startsWith(prefix)) {
    const param = `input[${index}].id`;
    throw badParameter(
      `Invalid '${param}': '${id}'. Expected an ID that begins with '${prefix}'.`,
      param,
      'invalid_value',
    );
  }
  if (type === 'message') checkContent(item, index);
  if (type === 'reasoning') checkEncrypted(item, owner);
}

function checkContent({ role, content }: JsonObject, index: number): void {
  const own = role === 'assistant' ? ['output_text', 'refusal'] : ['input_text', 'input_image', 'input_file'];
  for (const [at, part] of objectsOf(content).entries()) {
    if (own.includes(String(part['type']))) continue;
    const values = own.map((word) => `'${word}'`);
    throw badParameter(
      `Invalid value: '${part['type']}'. Supported values are: ${values.slice(0, -1).join(', ')} and ${values.at(-1)}.`,
      `input[${index}].content[${at}]`,
      'invalid_value',
    );
  }
}

const ENCRYPTED = /^gAAAAA([A-Za-z0-9+/]*={0,2})$/;

/** What the fake makes of reasoning that nobody else is to read: no other organisation either. */
export function encryptReasoning(text: string, owner: string): string {
  return `gAAAAA${Buffer.from(`fake ${owner}:${text}`).toString('base64')}`;
}

function checkEncrypted({ id = null, encrypted_content: encrypted }: JsonObject, owner: string): void {
  if (typeof encrypted !== 'string') return;
  const [, base64 = ''] = ENCRYPTED.exec(encrypted) ?? [];
  const plain = Buffer.from(base64, 'base64').toString('utf8');
  if (plain.startsWith(`fake ${owner}:`)) return;
  throw badParameter(
    `The encrypted content for item ${id} could not be verified. Reason: ${plain.startsWith('fake ') ? 'Encrypted content organization_id did not match the target organization.' : 'Encrypted content could not be decrypted or parsed.'}`,
    null,
    'invalid_encrypted_content',
  );
}

const OUTPUT_OF: Readonly<Record<string, string>> = {
  function_call_output: 'function_call',
  custom_tool_call_output: 'custom_tool_call',
};

/** Every output belongs to a call before it, and every call has its output. */
function checkCalls(items: readonly JsonObject[]): void {
  const open = new Set<string>();
  const known = new Set<string>();
  for (const item of items) {
    const id = String(item['call_id']);
    const type = String(item['type']);
    if (Object.values(OUTPUT_OF).includes(type)) {
      open.add(id);
      known.add(`${type} ${id}`);
    }
    const called = OUTPUT_OF[type];
    if (called === undefined) continue;
    if (!known.has(`${called} ${id}`)) {
      throw badParameter(`No tool call found for function call output with call_id ${id}.`, 'input');
    }
    open.delete(id);
  }
  const [first] = open;
  if (first !== undefined) throw badParameter(`No tool output found for function call ${first}.`, 'input');
}
