import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import type { Refusal } from '../refusal.ts';
import type { Signer } from '../signatures.ts';
import { has, objectsOf, stringsOf } from '../values.ts';
import { invalid } from './errors.ts';
import { checkMessages } from './messages.ts';
import { claudeFamily } from './models.ts';
import {
  BETA_MESSAGES_REQUEST,
  COUNT_TOKENS_REQUEST,
  MESSAGES_REQUEST,
  THREAD_REQUEST,
} from './request-shape.ts';
import { findOutputSchemaProblem, findToolSchemaProblem } from './schemas.ts';
import { checkSignatures, findThinkingProblem } from './thinking.ts';
import { type MessageThreads, THREADS_BETA } from './threads.ts';
import { refuseViolations } from './violations.ts';

export interface AnthropicRuleContext {
  signer: Signer;
  /** The `anthropic-version` header. */
  version: string;
  /** The `anthropic-beta` header. */
  betas: string;
  /** Absent: where there are none, as at clouds. */
  threads?: MessageThreads | undefined;
}

/** Versions of the API (documentation, "Versions"). The older one keeps what the newer one took away. */
export const API_VERSIONS: readonly string[] = ['2023-01-01', '2023-06-01', '2026-10-21'];

type Rule = (body: JsonObject, model: string, context: AnthropicRuleContext) => Refusal | undefined;

/** Rules between parameters. The first that is broken is the error. */
const RULES: readonly Rule[] = [
  refuseWhatVersionRemoved,
  (body, model) => {
    const { maxOutputTokens } = claudeFamily(model);
    if (Number(body['max_tokens'] ?? 0) <= maxOutputTokens) return undefined;
    return invalid(
      `max_tokens: ${body['max_tokens']} > ${maxOutputTokens}, which is the maximum allowed number of output tokens for ${model}`,
    );
  },
  refuseSampling,
  (body) => {
    for (const sequence of stringsOf(body['stop_sequences'])) {
      // MegaGrindStone/mcp-web-ui#5, BerriAI/litellm#3286
      if (sequence === '') return invalid('stop_sequences: each stop sequence must be non-empty');
      if (sequence.trim() === '') {
        return invalid('stop_sequences: each stop sequence must contain non-whitespace');
      }
    }
    return undefined;
  },
  refuseTools,
  refuseToolChoice,
  (body, model, { betas }) => findThinkingProblem(model, body, betas),
  refuseOutputConfig,
  refuseCacheControl,
  (body) => {
    const empty = objectsOf(body['system']).some((block) => String(block['text']).trim() === '');
    return empty ? invalid('system: text content blocks must be non-empty') : undefined;
  },
];

/**
 * Throws what the real API would answer to this body; returns it as an object when there is nothing to refuse, with all of the
 * thread that it goes on with.
 */
export function checkMessagesRequest(body: JsonValue | undefined, context: AnthropicRuleContext): JsonObject {
  return checkRequest(body, shapeOf(context), context);
}

function shapeOf({ betas, threads }: AnthropicRuleContext): typeof MESSAGES_REQUEST {
  if (threads && betas.includes(THREADS_BETA)) return THREAD_REQUEST;
  return betas === '' ? MESSAGES_REQUEST : BETA_MESSAGES_REQUEST;
}

export function checkCountTokensRequest(
  body: JsonValue | undefined,
  context: AnthropicRuleContext,
): JsonObject {
  return checkRequest(body, COUNT_TOKENS_REQUEST, context);
}

function checkRequest(
  body: JsonValue | undefined,
  shape: typeof MESSAGES_REQUEST,
  context: AnthropicRuleContext,
): JsonObject {
  // prism-php/prism#912
  if (isObject(body) && body['output_format'] !== undefined) {
    throw invalid(
      "output_format: This field is deprecated. Use 'output_config.format' instead. See https://platform.claude.com/docs/en/build-with-claude/structured-outputs for more information.",
    );
  }
  refuseViolations(body, shape);
  if (!isObject(body)) throw invalid('Input should be a valid dictionary');
  return checkRules(context.threads?.resume(body) ?? body, context);
}

function checkRules(body: JsonObject, context: AnthropicRuleContext): JsonObject {
  const model = String(body['model']);
  for (const rule of RULES) {
    const refusal = rule(body, model, context);
    if (refusal) throw refusal;
  }
  checkMessages(model, body);
  checkSignatures(body, context.signer);
  return body;
}

/**
 * "Migrating to API version 2026-10-21": sampling parameters are gone ("a request that sends any of them returns a 400
 * error"), documents in assistant messages and citations in user messages are errors. The words of those errors are
 * not public; for parameters they are taken to be those of any unknown field.
 */
function refuseWhatVersionRemoved(
  body: JsonObject,
  _model: string,
  { version }: AnthropicRuleContext,
): Refusal | undefined {
  if (version !== '2026-10-21') return undefined;
  const removed = ['temperature', 'top_p', 'top_k'].find((name) => body[name] !== undefined);
  if (removed !== undefined) return invalid(`${removed}: Extra inputs are not permitted`);
  for (const [index, { role, content }] of objectsOf(body['messages']).entries()) {
    for (const [at, block] of objectsOf(content).entries()) {
      const place = `messages.${index}.content.${at}`;
      if (role === 'assistant' && block['type'] === 'document') {
        return invalid(`${place}: \`document\` blocks are not permitted in \`assistant\` messages`);
      }
      if (role === 'user' && block['type'] === 'text' && objectsOf(block['citations']).length > 0) {
        return invalid(`${place}.text.citations: citations are not permitted in \`user\` messages`);
      }
    }
  }
  return undefined;
}

function refuseSampling(body: JsonObject, model: string): Refusal | undefined {
  const { sampling } = claudeFamily(model);
  if (sampling === 'one of' && has(body, 'temperature') && has(body, 'top_p')) {
    return invalid('`temperature` and `top_p` cannot both be specified for this model. Please use only one.');
  }
  if (sampling !== 'none') return undefined;
  // The pr-agent#2456 words; the default is let through (expectedparrot/edsl#2458).
  const given = ['temperature', 'top_p', 'top_k'].find((name) => has(body, name) && body[name] !== 1);
  return given === undefined ? undefined : invalid(`\`${given}\` is deprecated for this model.`);
}

const EARLIER_TOOLS: ReadonlySet<string> = new Set([
  'bash_20241022',
  'text_editor_20241022',
  'text_editor_20250124',
]);

function refuseTools(body: JsonObject, model: string): Refusal | undefined {
  const tools = objectsOf(body['tools']);
  const names = tools.map((tool) => tool['name']);
  // danny-avila/LibreChat#13162
  if (new Set(names).size < names.length) return invalid('tools: Tool names must be unique.');
  // Of Claude 4 and later, in these words (docs "Text editor tool": versions by model).
  const earlier = tools.find(({ type }) => EARLIER_TOOLS.has(String(type)));
  if (earlier && !/^claude-3-/.test(model)) {
    return invalid(
      `'${model}' does not support tool types: ${earlier['type']}. Did you mean one of bash_20250124, text_editor_20250728?`,
    );
  }
  for (const [index, tool] of tools.entries()) {
    const { input_schema: schema, strict } = tool;
    if (!isObject(schema)) continue;
    const problem = findToolSchemaProblem(schema) ?? (strict ? strictProblem(schema, model) : undefined);
    if (problem !== undefined) return invalid(`tools.${index}.custom.${problem}`);
  }
  return undefined;
}

function strictProblem(schema: JsonObject, model: string): string | undefined {
  if (!claudeFamily(model).structuredOutput) return 'strict: strict tools are not supported on this model';
  const problem = findOutputSchemaProblem(schema);
  return problem === undefined ? undefined : `input_schema: ${problem}`;
}

function refuseToolChoice(body: JsonObject): Refusal | undefined {
  const { tool_choice: choice } = body;
  if (!isObject(choice)) return undefined;
  if (objectsOf(body['tools']).length === 0) {
    return invalid('tool_choice may only be specified while providing tools.');
  }
  const { name } = choice;
  const known = objectsOf(body['tools']).some((tool) => tool['name'] === name);
  return choice['type'] === 'tool' && !known
    ? invalid(`Tool '${name}' not found in provided tools`)
    : undefined;
}

function refuseOutputConfig(body: JsonObject, model: string): Refusal | undefined {
  const { output_config: config } = body;
  if (!isObject(config)) return undefined;
  const family = claudeFamily(model);
  if (has(config, 'effort') && !family.effort) {
    return invalid('This model does not support the effort parameter.');
  }
  const { format } = config;
  if (!isObject(format) || !isObject(format['schema'])) return undefined;
  if (!family.structuredOutput) return invalid(`'${model}' does not support output format.`);
  const problem = findOutputSchemaProblem(format['schema']);
  return problem === undefined ? undefined : invalid(`output_config.format.schema: ${problem}`);
}

/** At most four, one-hour entries before five-minute ones (prompt caching guide, "Mixing different TTLs"). */
function refuseCacheControl(body: JsonObject): Refusal | undefined {
  const hints = [
    ...objectsOf(body['tools']),
    ...objectsOf(body['system']),
    ...objectsOf(body['messages']).flatMap((message) => blocksWithin(message['content'])),
    body,
  ]
    .map((block) => block['cache_control'])
    .filter(isObject);
  if (hints.length > 4) {
    // continuedev/continue#6937
    return invalid(`A maximum of 4 blocks with cache_control may be provided. Found ${hints.length}.`);
  }
  const firstShort = hints.findIndex((hint) => hint['ttl'] !== '1h');
  if (firstShort === -1 || !hints.slice(firstShort).some((hint) => hint['ttl'] === '1h')) return undefined;
  return invalid(
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
  );
}

function blocksWithin(content: JsonValue | undefined): JsonObject[] {
  return objectsOf(content).flatMap((block) => [
    ...(block['type'] === 'tool_result' ? objectsOf(block['content']) : []),
    block,
  ]);
}
