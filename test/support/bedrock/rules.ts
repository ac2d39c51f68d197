import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../../src/conversation/json.ts';
import { findThinkingProblem } from '../anthropic/thinking.ts';
import type { Refusal } from '../refusal.ts';
import type { Signer } from '../signatures.ts';
import { objectsOf } from '../values.ts';
import { bedrockError, invalid, modelError } from './errors.ts';
import { checkMessages, checkOneMember } from './messages.ts';
import { bedrockFamily, claudeName } from './models.ts';
import { CONVERSE_REQUEST } from './request-shape.ts';
import { refuseViolations } from './violations.ts';

type Rule = (body: JsonObject, model: string) => Refusal | undefined;

/** Rules between parameters. The first that is broken is the error. */
const RULES: readonly Rule[] = [
  refuseToolChoice,
  refuseTools,
  refuseCachePoints,
  refuseTextFormat,
  refuseCitations,
  refuseAdditional,
  refuseThinking,
];

/** Throws what the real API would answer to this body; returns it as an object when there is nothing to refuse. */
export function checkConverseRequest(body: JsonValue | undefined, model: string, signer: Signer): JsonObject {
  refuseViolations(body, CONVERSE_REQUEST);
  if (!isObject(body)) throw bedrockError(400, 'SerializationException', 'Unexpected end of input');
  checkMessages(model, body, signer);
  for (const rule of RULES) {
    const refusal = rule(body, model);
    if (refusal) throw refusal;
  }
  return body;
}

/** Recorded by users of many models, as in aws-samples/bedrock-access-gateway#92. */
function refuseToolChoice({ toolConfig }: JsonObject, model: string): Refusal | undefined {
  const choice = isObject(toolConfig) ? toolConfig['toolChoice'] : undefined;
  if (!isObject(choice)) return undefined;
  checkOneMember(choice, 'toolConfig.toolChoice');
  const [kind = ''] = Object.keys(choice);
  if (!bedrockFamily(model).toolChoices.includes(kind)) {
    return invalid(
      `This model doesn't support the toolConfig.toolChoice.${kind} field. Remove toolConfig.toolChoice.${kind} and try again.`,
    );
  }
  const name = isObject(choice['tool']) ? choice['tool']['name'] : undefined;
  if (name === undefined || toolNames(toolConfig).includes(String(name))) return undefined;
  return modelError(`tool_choice: Tool '${name}' not found in provided tools`);
}

function refuseTools({ toolConfig }: JsonObject): Refusal | undefined {
  const tools = isObject(toolConfig) ? objectsOf(toolConfig['tools']) : [];
  for (const [index, tool] of tools.entries()) {
    checkOneMember(tool, `toolConfig.tools.${index}`);
    if (!isObject(tool['toolSpec'])) continue;
    checkOneMember(tool['toolSpec']['inputSchema'], `toolConfig.tools.${index}.toolSpec.inputSchema`);
    const schema = isObject(tool['toolSpec']['inputSchema'])
      ? tool['toolSpec']['inputSchema']['json']
      : undefined;
    if (!isObject(schema) || schema['type'] !== 'object') {
      return invalid(
        `The value at toolConfig.tools.${index}.toolSpec.inputSchema.json.type must be one of the following: object.`,
      );
    }
  }
  const names = toolNames(toolConfig);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined
    ? undefined
    : modelError(`tools: Tool names must be unique: '${twice}' is there twice.`);
}

function toolNames(toolConfig: JsonValue | undefined): string[] {
  const tools = isObject(toolConfig) ? objectsOf(toolConfig['tools']) : [];
  return tools.flatMap(({ toolSpec }) => (isObject(toolSpec) ? [String(toolSpec['name'])] : []));
}

function refuseCachePoints(body: JsonObject, model: string): Refusal | undefined {
  const { cachePoints } = bedrockFamily(model);
  const places = {
    system: objectsOf(body['system']),
    messages: objectsOf(body['messages']).flatMap(({ content }) => objectsOf(content)),
    tools: isObject(body['toolConfig']) ? objectsOf(body['toolConfig']['tools']) : [],
  };
  const total = Object.values(places).flatMap((blocks) => blocks.filter(isCachePoint)).length;
  if (total > 4)
    return modelError(`A maximum of 4 blocks with cache_control may be provided. Found ${total}.`);
  for (const [place, blocks] of Object.entries(places)) {
    const at = blocks.findIndex(isCachePoint);
    if (at === -1 || cachePoints.some((taken) => taken === place)) continue;
    if (place === 'tools' && cachePoints.length > 0) {
      // NousResearch/hermes-agent#97281
      return modelError(
        `Malformed input request: #/toolConfig/tools/${at}: extraneous key [cachePoint] is not permitted, please reformat your input and try again.`,
      );
    }
    return bedrockError(
      403,
      'AccessDeniedException',
      'You invoked an unsupported model or your request did not allow prompt caching. See the documentation for more information.',
    );
  }
  return undefined;
}

function isCachePoint(block: JsonObject): boolean {
  return block['cachePoint'] !== undefined;
}

/** The words are those that the service has for other members that a model does not know. */
function refuseCitations({ messages }: JsonObject, model: string): Refusal | undefined {
  if (bedrockFamily(model).cites) return undefined;
  const blocks = objectsOf(messages).flatMap(({ content }) => objectsOf(content));
  const all = [
    ...blocks,
    ...blocks.flatMap(({ toolResult }) => (isObject(toolResult) ? objectsOf(toolResult['content']) : [])),
  ];
  const isCited = ({ document }: JsonObject) => isObject(document) && document['citations'] !== undefined;
  const member = all.some(({ searchResult }) => searchResult !== undefined)
    ? 'searchResult'
    : all.some(isCited)
      ? 'document.citations'
      : undefined;
  if (member === undefined) return undefined;
  return invalid(`This model doesn't support the ${member} field. Remove ${member} and try again.`);
}

/** Of the flags of Anthropic's API those that the service knows (see `providers/bedrock.ts`). */
const BETAS =
  /^(?:computer-use-(?:2024-10-22|2025-01-24|2025-11-24)|context-1m-2025-08-07|context-management-2025-06-27|effort-2025-11-24|fine-grained-tool-streaming-2025-05-14|interleaved-thinking-2025-05-14|output-128k-2025-02-19|token-efficient-tools-2025-02-19)$/;

/** Bedrock user guide ("computer use"); aws-samples/anthropic-on-aws (memory). */
const FLAG_OF: Readonly<Record<string, string>> = {
  computer: 'computer-use-',
  memory: 'context-management-2025-06-27',
};

/** Tools in the words of Anthropic's API, and the flags that they need. */
function refuseAdditional(body: JsonObject, model: string): Refusal | undefined {
  const fields = body['additionalModelRequestFields'];
  if (!isObject(fields)) return undefined;
  const { anthropic_beta: betas, tools, tool_choice: choice } = fields;
  const flags = Array.isArray(betas) ? betas.map(String) : [];
  if (betas !== undefined && bedrockFamily(model).reasoning !== 'claude')
    return modelError('extraneous key [anthropic_beta] is not permitted');
  if (!flags.every((flag) => BETAS.test(flag))) return modelError('invalid beta flag');
  const names = toolNames(body['toolConfig']);
  for (const { type, name } of objectsOf(tools)) {
    const [, kind = ''] = /^(bash|computer|memory|text_editor)_\d{8}$/.exec(String(type)) ?? [];
    const needed = FLAG_OF[kind];
    if (kind === '' || (needed !== undefined && !flags.some((flag) => flag.startsWith(needed))))
      return modelError(
        `tools: Input tag '${type}' found using 'type' does not match any of the expected tags`,
      );
    if (names.includes(String(name))) return modelError('tools: Tool names must be unique.');
    names.push(String(name));
  }
  if (!isObject(choice) || choice['type'] !== 'tool' || names.includes(String(choice['name'])))
    return undefined;
  return modelError(`tool_choice: Tool '${choice['name']}' not found in provided tools`);
}

/** vectorize-io/hindsight#3300 */
function refuseTextFormat({ outputConfig }: JsonObject, model: string): Refusal | undefined {
  const format = isObject(outputConfig) ? outputConfig['textFormat'] : undefined;
  if (!isObject(format)) return undefined;
  if (!bedrockFamily(model).structuredOutputs) {
    return modelError('output_config.format: Extra inputs are not permitted');
  }
  checkOneMember(format['structure'], 'outputConfig.textFormat.structure');
  const { jsonSchema } = isObject(format['structure']) ? format['structure'] : {};
  const schema = isObject(jsonSchema) ? tryParseJson(String(jsonSchema['schema'])) : undefined;
  if (!isObject(schema)) return invalid('The JSON schema at outputConfig.textFormat is not valid JSON.');
  if (schema['type'] === 'object' && schema['additionalProperties'] !== false) {
    return modelError(
      "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    );
  }
  return undefined;
}

/** Claude's own rules, in the words of its API: what it says is passed on. */
function refuseThinking(body: JsonObject, model: string): Refusal | undefined {
  if (bedrockFamily(model).reasoning !== 'claude') return undefined;
  const additional = isObject(body['additionalModelRequestFields'])
    ? body['additionalModelRequestFields']
    : {};
  const { thinking } = additional;
  if (isObject(thinking) && Number(thinking['budget_tokens'] ?? 1024) < 1024) {
    return modelError('thinking.enabled.budget_tokens: Input should be greater than or equal to 1024');
  }
  const config = isObject(body['inferenceConfig']) ? body['inferenceConfig'] : {};
  const refusal = findThinkingProblem(
    claudeName(model),
    {
      ...additional,
      // The default of the service is the most that the model takes.
      max_tokens: config['maxTokens'] ?? 64_000,
      ...(config['temperature'] === undefined ? {} : { temperature: config['temperature'] }),
      ...(config['topP'] === undefined ? {} : { top_p: config['topP'] }),
      ...asMessagesChoice(body['toolConfig']),
      messages: objectsOf(body['messages']).map(asMessagesMessage),
    },
    '',
  );
  return refusal && modelError(refusal.message);
}

function asMessagesChoice(toolConfig: JsonValue | undefined): JsonObject {
  const choice = isObject(toolConfig) ? toolConfig['toolChoice'] : undefined;
  const [type] = isObject(choice) ? Object.keys(choice) : [];
  return type === undefined ? {} : { tool_choice: { type } };
}

function asMessagesMessage({ role, content }: JsonObject): JsonObject {
  const types: [member: string, type: string][] = [
    ['toolUse', 'tool_use'],
    ['toolResult', 'tool_result'],
    ['reasoningContent', 'thinking'],
    ['text', 'text'],
  ];
  const blocks = objectsOf(content).flatMap((block): JsonObject[] => {
    const [, type] = types.find(([member]) => block[member] !== undefined) ?? [];
    return type === undefined ? [] : [{ type }];
  });
  return { role, content: blocks };
}
