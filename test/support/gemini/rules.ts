import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import type { Refusal } from '../refusal.ts';
import type { Shape } from '../shape.ts';
import type { Signer } from '../signatures.ts';
import { has, objectsOf, stringsOf } from '../values.ts';
import { checkContents } from './contents.ts';
import { invalidArgument, invalidField } from './errors.ts';
import { geminiFamily } from './models.ts';
import { normaliseProto, refuseViolations } from './proto.ts';
import { GENERATE_REQUEST } from './request-shape.ts';
import { findJsonSchemaProblem, findSchemaProblems } from './schemas.ts';
import { checkThoughts } from './thoughts.ts';

export interface GeminiRuleContext {
  model: string;
  signer: Signer;
  /** Vertex AI's, which takes more of some. */
  isVertex?: boolean;
}

type Rule = (config: JsonObject, model: string, body: JsonObject, isVertex: boolean) => Refusal | undefined;

/** Rules between parameters. The first that is broken is the error. */
const RULES: readonly Rule[] = [
  refuseRanges,
  (config) => {
    // continuedev/continue#7849; the reference: "up to 5".
    const count = stringsOf(config['stopSequences']).length;
    if (count <= 5) return undefined;
    return invalidArgument(
      `Unable to submit request because it has a stopSequences value of ${count} but the supported range is from 1 (inclusive) to 6 (exclusive). Update the value and try again.`,
    );
  },
  (config, model, _, isVertex) => {
    const count = Number(config['candidateCount'] ?? 1);
    const maxCandidates = isVertex ? 8 : geminiFamily(model).maxCandidates;
    if (count >= 1 && count <= maxCandidates) return undefined;
    return invalidArgument(
      count > 1 && maxCandidates === 1
        ? 'Multiple candidates is not enabled for this model'
        : `Invalid value at 'generation_config.candidate_count': must be between 1 and ${maxCandidates}.`,
    );
  },
  (config) => {
    if (!has(config, 'logprobs') || config['responseLogprobs'] === true) return undefined;
    // The reference: "Only valid if responseLogprobs=True."
    return invalidArgument('logprobs is only valid if response_logprobs is true.');
  },
  (config, model, _, isVertex) => {
    if (config['responseLogprobs'] !== true) return undefined;
    const { logprobs } = geminiFamily(model);
    if (isVertex ? logprobs.vertex : logprobs.gemini) return undefined;
    return invalidArgument(
      isVertex
        ? 'Unable to submit request because Logprobs is not supported for this model.'
        : `Logprobs is not enabled for models/${model}`,
    );
  },
  (config, model) => {
    const isNone = [config['frequencyPenalty'], config['presencePenalty']].every((value) => !value);
    if (isNone || geminiFamily(model).penalties) return undefined;
    return invalidArgument(`Penalty is not enabled for models/${model}`);
  },
  (config, model) => {
    if (config['responseMimeType'] !== 'application/json' || geminiFamily(model).jsonMode) return undefined;
    return invalidArgument(`JSON mode is not enabled for models/${model}`);
  },
  (_, model, body) => {
    if (geminiFamily(model).functions || declarationsOf(body).length === 0) return undefined;
    return invalidArgument(`Function calling is not enabled for models/${model}`);
  },
  (_, model, body) => {
    const last = objectsOf(body['contents']).at(-1);
    if (last?.['role'] !== 'model' || geminiFamily(model).prefill) return undefined;
    return invalidArgument(
      'Requests ending with a model turn are not supported unless the last part is a function response.',
    );
  },
  (config, model, _, isVertex) => {
    const most = geminiFamily(model).maxOutputTokens - (isVertex ? 1 : 0);
    const asked = config['maxOutputTokens'];
    if (typeof asked !== 'number' || asked <= most) return undefined;
    return invalidArgument(
      `Unable to submit request because it has a maxOutputTokens value of ${asked} but the supported range is from 1 (inclusive) to ${most + 1} (exclusive). Update the value and try again.`,
    );
  },
  refuseThinking,
  refuseResponseSchema,
  (config, model, body) => {
    // googleapis/python-genai#867; with mode NONE it goes through (google/adk-python#5735).
    const jsonWanted = config['responseMimeType'] === 'application/json';
    if (!jsonWanted || geminiFamily(model).jsonWithTools || declarationsOf(body).length === 0)
      return undefined;
    if (callingMode(body) === 'NONE') return undefined;
    return invalidArgument("Function calling with a response mime type: 'application/json' is unsupported");
  },
  refuseDeclarations,
  refuseCallingConfig,
];

/** Throws what the real API would answer to this body; returns it with camelCase names when there is nothing to refuse. */
export function checkGenerateRequest(
  body: JsonValue | undefined,
  { model, signer, isVertex = false }: GeminiRuleContext,
): JsonObject {
  const request = checkShape(body, GENERATE_REQUEST);
  const config = isObject(request['generationConfig']) ? request['generationConfig'] : {};
  for (const rule of RULES) {
    const refusal = rule(config, model, request, isVertex);
    if (refusal) throw refusal;
  }
  checkContents(request, geminiFamily(model).emptyText === true);
  checkThoughts(model, objectsOf(request['contents']), signer);
  return request;
}

export function checkShape(body: JsonValue | undefined, shape: Shape): JsonObject {
  if (!isObject(body)) {
    throw invalidArgument(
      'Invalid JSON payload received. Unexpected end of string. Expected an object key or }.',
    );
  }
  const request = normaliseProto(body, shape);
  refuseViolations(request, shape);
  return isObject(request) ? request : {};
}

const RANGES: Readonly<Record<string, [min: number, max: number]>> = {
  temperature: [0, 2],
  topP: [0, 1],
  topK: [1, Number.POSITIVE_INFINITY],
  maxOutputTokens: [1, Number.POSITIVE_INFINITY],
  presencePenalty: [-2, 2],
  frequencyPenalty: [-2, 2],
  logprobs: [0, 20],
};

/** Ranges from the reference of GenerationConfig; the words are those of the range of `stopSequences`. */
function refuseRanges(config: JsonObject): Refusal | undefined {
  for (const [name, [min, max]] of Object.entries(RANGES)) {
    const value = config[name];
    if (typeof value !== 'number' || (value >= min && value <= max)) continue;
    return invalidArgument(
      `Unable to submit request because it has a ${name} value of ${value} but the supported range is from ${min} (inclusive) to ${max} (inclusive). Update the value and try again.`,
    );
  }
  return undefined;
}

function refuseThinking(config: JsonObject, model: string): Refusal | undefined {
  const { thinkingConfig: thinking } = config;
  if (!isObject(thinking)) return undefined;
  const { budget: range, level } = geminiFamily(model);
  const budget = thinking['thinkingBudget'];
  if (has(thinking, 'thinkingLevel') && budget !== undefined) {
    return invalidArgument('You can only set only one of thinking budget and thinking level.');
  }
  if (has(thinking, 'thinkingLevel') && !level) {
    // The guide: "If you use the thinking_level parameter with a model earlier than Gemini 3, the model returns an error."
    return invalidArgument('Thinking level is not supported for this model.');
  }
  if (typeof budget !== 'number' || budget === -1) return undefined;
  if (!range) return budget === 0 ? undefined : invalidArgument('Thinking is not enabled for this model.');
  if (budget === 0) {
    // vercel/ai#8027
    return range.canBeOff
      ? undefined
      : invalidArgument('Budget 0 is invalid. This model only works in thinking mode.');
  }
  if (budget >= range.min && budget <= range.max) return undefined;
  return invalidArgument(
    `The thinking budget ${budget} is invalid. Please choose a value between ${range.min} and ${range.max}.`,
  );
}

/** The reference of `responseSchema` and `responseJsonSchema`: one of them, and only with a MIME type that fits. */
function refuseResponseSchema(config: JsonObject): Refusal | undefined {
  const { responseSchema: schema, responseJsonSchema: jsonSchema, responseMimeType: mimeType } = config;
  if (schema === undefined && jsonSchema === undefined) return undefined;
  if (schema !== undefined && jsonSchema !== undefined) {
    return invalidArgument('Only one of response_schema and response_json_schema may be set.');
  }
  if (mimeType !== 'application/json' && mimeType !== 'text/x.enum') {
    return invalidArgument(
      "Response schema requires a compatible response mime type: 'application/json' or 'text/x.enum'.",
    );
  }
  const problems = isObject(schema) ? findSchemaProblems(schema, 'generation_config.response_schema') : [];
  if (problems.length > 0) return invalidArgument(`${problems.join('\n')}\n`);
  const problem = jsonSchema === undefined ? undefined : findJsonSchemaProblem(jsonSchema);
  return problem === undefined ? undefined : invalidField('generation_config.response_json_schema', problem);
}

/** kaitranntt/ccs#25 */
const FUNCTION_NAME = /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/;

function refuseDeclarations(_config: JsonObject, _model: string, body: JsonObject): Refusal | undefined {
  const seen = new Set<string>();
  for (const { declaration, path } of declarationsOf(body)) {
    const name = String(declaration['name'] ?? '');
    if (!FUNCTION_NAME.test(name)) {
      return invalidField(
        `${path}.name`,
        'Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.',
      );
    }
    if (seen.has(name)) return invalidArgument(`Duplicate function declaration found: ${name}`);
    seen.add(name);
    const { parameters, parametersJsonSchema: jsonSchema } = declaration;
    if (parameters !== undefined && jsonSchema !== undefined) {
      // The reference of `parametersJsonSchema`: "mutually exclusive with `parameters`".
      return invalidField(path, 'parameters and parameters_json_schema are mutually exclusive.');
    }
    const problems = isObject(parameters) ? findSchemaProblems(parameters, `${path}.parameters`) : [];
    if (problems.length > 0) return invalidArgument(`${problems.join('\n')}\n`);
    const problem = jsonSchema === undefined ? undefined : findJsonSchemaProblem(jsonSchema);
    if (problem !== undefined) return invalidField(`${path}.parameters_json_schema`, problem);
  }
  return undefined;
}

function refuseCallingConfig(_config: JsonObject, _model: string, body: JsonObject): Refusal | undefined {
  const names = allowedNames(body);
  if (names.length === 0) return undefined;
  const mode = callingMode(body);
  // The reference: "This should only be set when the Mode is ANY or VALIDATED."
  if (mode !== 'ANY' && mode !== 'VALIDATED') {
    return invalidArgument('Please set allowed_function_names only when function calling mode is ANY.');
  }
  const declared = declarationsOf(body).map(({ declaration }) => declaration['name']);
  const unknown = names.find((name) => !declared.includes(name));
  return unknown === undefined
    ? undefined
    : invalidArgument(`The allowed_function_names contains a function that is not declared: ${unknown}`);
}

export function declarationsOf(body: JsonObject): { declaration: JsonObject; path: string }[] {
  return objectsOf(body['tools']).flatMap((tool, at) =>
    objectsOf(tool['functionDeclarations']).map((declaration, index) => ({
      declaration,
      path: `tools[${at}].function_declarations[${index}]`,
    })),
  );
}

export function callingMode(body: JsonObject): JsonValue | undefined {
  return callingConfig(body)['mode'];
}

export function allowedNames(body: JsonObject): string[] {
  return stringsOf(callingConfig(body)['allowedFunctionNames']);
}

function callingConfig({ toolConfig }: JsonObject): JsonObject {
  const config = isObject(toolConfig) ? toolConfig['functionCallingConfig'] : undefined;
  return isObject(config) ? config : {};
}
