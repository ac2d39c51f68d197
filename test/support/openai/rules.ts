import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import type { Refusal } from '../refusal.ts';
import { has, objectsOf } from '../values.ts';
import { badParameter, listWords } from './errors.ts';
import { checkMessages } from './messages.ts';
import { effortsOf, familyOf } from './models.ts';
import { CHAT_REQUEST, COMPATIBLE_ASSISTANT_FIELDS } from './request-shape.ts';
import { findSchemaProblem } from './strict-schema.ts';
import { refuseViolations } from './violations.ts';

type Rule = (body: JsonObject, model: string) => Refusal | undefined;

/** Rules between parameters. The first that is broken is the error. */
const RULES: readonly Rule[] = [
  refuseReasoningParameters,
  (body, model) => {
    // davidmigloz/langchain_dart#712: a model that does not reason does not know the word.
    if (!has(body, 'reasoning_effort') || familyOf(model).reasoning) return undefined;
    return badParameter('Unrecognized request argument supplied: reasoning_effort', null);
  },
  (body) => {
    if (!has(body, 'max_tokens') || !has(body, 'max_completion_tokens')) return undefined;
    return badParameter(
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
      'max_tokens',
      'invalid_parameter_combination',
    );
  },
  (body) => {
    // BerriAI/litellm#5803
    if (!has(body, 'stream_options') || body['stream'] === true) return undefined;
    return badParameter(
      "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
      'stream_options',
    );
  },
  (body) => needsTools(body, 'tool_choice'),
  (body) => {
    if (!has(body, 'function_call') || has(body, 'functions')) return undefined;
    const name = 'function_call';
    return badParameter(
      `Invalid value for '${name}': '${name}' is only allowed when 'functions' are specified.`,
      name,
    );
  },
  // openai/swarm#30
  (body) => needsTools(body, 'parallel_tool_calls'),
  refuseUnknownToolChoice,
  (body) => {
    if (!has(body, 'top_logprobs') || body['logprobs'] === true) return undefined;
    // The reference: "`logprobs` must be set to `true` if this parameter is used."
    return badParameter(
      "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
      'top_logprobs',
    );
  },
  (body) => {
    if (!has(body, 'metadata') || body['store'] === true) return undefined;
    return badParameter("The 'metadata' parameter is only allowed when 'store' is enabled.", 'metadata');
  },
  ({ metadata }) => {
    const count = isObject(metadata) ? Object.keys(metadata).length : 0;
    if (count <= 16) return undefined;
    // BerriAI/litellm#4257
    return badParameter(
      `Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with ${count} properties instead.`,
      'metadata',
      'object_above_max_properties',
    );
  },
  (body, model) => {
    // Recorded.
    if (!has(body, 'web_search_options') || familyOf(model).search) return undefined;
    return badParameter('Web search options not supported with this model.', 'web_search_options');
  },
  refuseResponseFormat,
  refuseToolSchemas,
];

export interface OpenAiRuleOptions {
  /** The server is not OpenAI's own but a compatible one with a reasoning model behind it. */
  compatible?: boolean;
}

/** Throws what the real API would answer to this body; returns it as an object when there is nothing to refuse. */
export function checkChatRequest(body: JsonValue | undefined, options: OpenAiRuleOptions = {}): JsonObject {
  if (!isObject(body) || typeof body['model'] !== 'string' || body['model'] === '') {
    throw badParameter('you must provide a model parameter', null);
  }
  if (options.compatible) refuseFunctions(body);
  refuseViolations(options.compatible ? withoutCompatibleFields(body) : body, CHAT_REQUEST);
  const model = body['model'];
  for (const rule of RULES) {
    const refusal = rule(body, model);
    if (refusal) throw refusal;
  }
  if (!options.compatible) refuseEffort(body, model);
  checkMessages(model, objectsOf(body['messages']));
  return body;
}

/** OpenAI's and Azure's alone: what others ignore is told here, for their models would never see the functions. */
function refuseFunctions(body: JsonObject): void {
  const field = ['functions', 'function_call'].find((name) => has(body, name));
  const said = field ?? (objectsOf(body['messages']).some(callsFunction) ? 'function_call' : undefined);
  if (said !== undefined) throw badParameter(`Unrecognized request argument supplied: ${said}`, null);
}

function callsFunction(message: JsonObject): boolean {
  return has(message, 'function_call') || message['role'] === 'function';
}

/** What a reasoning model takes only at its default. `stop`, `logprobs` and `logit_bias` have none. */
const FIXED_SAMPLING: Readonly<Record<string, JsonValue>> = {
  temperature: 1,
  top_p: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
};

function refuseReasoningParameters(body: JsonObject, model: string): Refusal | undefined {
  const family = familyOf(model);
  if (!family.reasoning) return undefined;
  if (has(body, 'max_tokens')) {
    // Recorded; also fish2018/YPrompt#26.
    return badParameter(
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      'max_tokens',
      'unsupported_parameter',
    );
  }
  if (family.noStop && has(body, 'stop')) return unsupported('stop');
  const effort = body['reasoning_effort'] ?? (family.plainUnsaid ? 'none' : 'medium');
  if (family.samplesWithoutEffort && effort === 'none') return undefined;
  for (const [name, fixed] of Object.entries(FIXED_SAMPLING)) {
    if (!has(body, name) || body[name] === fixed) continue;
    // decolua/9router#560
    return badParameter(
      `Unsupported value: '${name}' does not support ${body[name]} with this model. Only the default (${fixed}) value is supported.`,
      name,
      'unsupported_value',
    );
  }
  const other = ['logprobs', 'top_logprobs', 'logit_bias'].find((name) => has(body, name));
  return other === undefined ? undefined : unsupported(other);
}

/** livekit/agents#3966 */
function refuseEffort({ reasoning_effort: effort }: JsonObject, model: string): void {
  const efforts = effortsOf(model);
  if (typeof effort !== 'string' || !efforts || efforts.includes(effort)) return;
  throw badParameter(
    `Unsupported value: 'reasoning_effort' does not support '${effort}' with this model. Supported values are: ${listWords(efforts)}.`,
    'reasoning_effort',
    'unsupported_value',
  );
}

function unsupported(name: string): Refusal {
  return badParameter(
    `Unsupported parameter: '${name}' is not supported with this model.`,
    name,
    'unsupported_parameter',
  );
}

function needsTools(body: JsonObject, name: string): Refusal | undefined {
  if (!has(body, name) || has(body, 'tools')) return undefined;
  return badParameter(
    `Invalid value for '${name}': '${name}' is only allowed when 'tools' are specified.`,
    name,
  );
}

function refuseUnknownToolChoice(body: JsonObject): Refusal | undefined {
  const choice = body['tool_choice'];
  if (!isObject(choice) || !isObject(choice['function'])) return undefined;
  const name = choice['function']['name'];
  if (functionsOf(body).some((tool) => tool['name'] === name)) return undefined;
  return badParameter(
    `Invalid value for 'tool_choice': no function named '${name}' was specified in the 'tools' parameter.`,
    'tool_choice',
  );
}

function refuseResponseFormat(body: JsonObject): Refusal | undefined {
  const format = body['response_format'];
  if (!isObject(format)) return undefined;
  if (format['type'] === 'json_object' && !/json/i.test(JSON.stringify(body['messages']))) {
    return badParameter(
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
      'messages',
    );
  }
  const { json_schema: described } = format;
  if (!isObject(described)) return undefined;
  if (!isObject(described['schema'])) {
    const param = 'response_format.json_schema.schema';
    return badParameter(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter');
  }
  const problem = findSchemaProblem(described['schema'], described['strict'] === true);
  if (problem === undefined) return undefined;
  return badParameter(
    `Invalid schema for response_format '${described['name']}': ${problem}`,
    'response_format',
  );
}

function refuseToolSchemas(body: JsonObject): Refusal | undefined {
  for (const [index, { function: tool }] of objectsOf(body['tools']).entries()) {
    if (!isObject(tool) || !isObject(tool['parameters'])) continue;
    const problem = findSchemaProblem(tool['parameters'], tool['strict'] === true);
    if (problem === undefined) continue;
    return badParameter(
      `Invalid schema for function '${tool['name']}': ${problem}`,
      `tools[${index}].function.parameters`,
      'invalid_function_parameters',
    );
  }
  return undefined;
}

function functionsOf(body: JsonObject): JsonObject[] {
  return objectsOf(body['tools'])
    .map((tool) => tool['function'])
    .filter(isObject);
}

function withoutCompatibleFields(body: JsonObject): JsonObject {
  const messages = body['messages'];
  if (!Array.isArray(messages)) return body;
  return {
    ...body,
    messages: messages.map((message) =>
      isObject(message)
        ? Object.fromEntries(
            Object.entries(message).filter(([field]) => !COMPATIBLE_ASSISTANT_FIELDS.includes(field)),
          )
        : message,
    ),
  };
}
