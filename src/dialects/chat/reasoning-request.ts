import type { DialectName, ReasoningRequest } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { callerWord, changedTo, thinkingBudgetWord, wordsOfThinking } from '../caller-words.ts';
import { checkEffort, compareEfforts, effortOfBudget, type SteppedEffort } from '../effort-words.ts';
import { optionalField, pathOf } from '../read-json.ts';
import { ungrantedView } from '../shown-reasoning.ts';
import { ownFields } from './extra.ts';
import type { ModelTraits } from './model-traits.ts';
import type { Target } from './target.ts';

/**
 * How much the model may think, both ways. OpenAI says `reasoning_effort`; clients of OpenRouter say `reasoning`
 * { effort, max_tokens, exclude, enabled }; those of LiteLLM, Z.ai, Moonshot and DeepSeek say `thinking` { type,
 * budget_tokens }. What was said in other words than OpenAI's is kept, to be written back as it came.
 *
 * Source: OpenAI API reference; OpenRouter, "Reasoning tokens"; LiteLLM, "Thinking / reasoning content".
 */
export function decodeReasoningRequest(body: JsonObject): ReasoningRequest | undefined {
  const effort = readEffort(body, 'reasoning_effort', '');
  const reasoning = optionalField(body, 'reasoning', 'object', '');
  const thinking = optionalField(body, 'thinking', 'object', '');
  if (effort === undefined && !reasoning && !thinking) return undefined;

  const request: ReasoningRequest = {};
  if (thinking) {
    const budget = optionalField(thinking, 'budget_tokens', 'number', 'thinking');
    if (budget !== undefined) request.budgetTokens = budget;
    if (thinking['type'] === 'disabled') request.effort = 'none';
  }
  if (reasoning) {
    const budget = optionalField(reasoning, 'max_tokens', 'number', 'reasoning');
    const nested = readEffort(reasoning, 'effort', 'reasoning');
    const exclude = optionalField(reasoning, 'exclude', 'boolean', 'reasoning');
    const enabled = optionalField(reasoning, 'enabled', 'boolean', 'reasoning');
    if (budget !== undefined) request.budgetTokens = budget;
    if (nested !== undefined) say(request, nested);
    // OpenRouter: `enabled` alone means medium effort.
    else if (enabled !== undefined && budget === undefined) request.effort = enabled ? 'medium' : 'none';
    if (exclude !== undefined) request.includeText = !exclude;
  }
  if (effort !== undefined) say(request, effort);
  if (reasoning || thinking || effort === MODELS_OWN)
    request.extra = { dialect: 'chat', fields: asSaid(body) };
  return request;
}

/** Groq's and Alibaba's word for whatever the model does when nothing is said. */
const MODELS_OWN = 'default';

function readEffort(holder: JsonObject, key: string, at: string): string | undefined {
  const effort = optionalField(holder, key, 'string', at);
  if (effort !== undefined && effort !== MODELS_OWN) checkEffort(effort, pathOf(at, key));
  return effort;
}

function say(request: ReasoningRequest, effort: string): void {
  if (effort === MODELS_OWN) delete request.effort;
  else request.effort = effort;
}

function asSaid(body: JsonObject): JsonObject {
  const said = ['reasoning_effort', 'reasoning', 'thinking'].filter(
    (key) => isObject(body[key]) || body[key],
  );
  return Object.fromEntries(said.map((key) => [key, body[key]]));
}

/** What a budget is to models that know no more than three efforts for sure. */
const EFFORTS_OF_ALL: Record<SteppedEffort, string> = {
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
  max: 'high',
};

/** The caller's word for the whole matter. */
const REASONING_WORDS: Record<DialectName, string> = {
  chat: 'reasoning_effort',
  responses: 'reasoning',
  messages: 'thinking',
  gemini: 'generationConfig.thinkingConfig',
  converse: 'additionalModelRequestFields',
};

/** The fields that say it to a chat upstream; what the model cannot be told is dropped. */
export function encodeReasoningRequest(target: Target): JsonObject {
  const request = target.conversation.reasoning;
  if (!request) return {};
  const said = ownFields(request.extra);
  if (Object.keys(said).length > 0) return said;
  const effort = effortOf(request, target);
  nameUnsaidThinking(target, effort);
  if (effort !== undefined && target.traits.reasoning === 'no' && !target.sameDialect) {
    dropReasoning(target);
    return {};
  }
  const ungranted = ungrantedView(target.conversation, target.showsReasoning);
  const isLost = target.dropped.includes(callerWord(target.conversation, 'reasoning'));
  if (ungranted !== undefined && !target.sameDialect && !isLost) target.drop(ungranted);
  return effort === undefined ? {} : { reasoning_effort: effort };
}

/** Names the whole wish to think as dropped. */
export function dropReasoning(target: Pick<Target, 'conversation' | 'drop'>): void {
  const { conversation } = target;
  for (const word of wordsOfThinking(conversation, REASONING_WORDS[conversation.dialect])) target.drop(word);
}

/**
 * Names what the effort that is sent does not say of the wish: that nothing be thought, that the model decide how much, or an effort
 * that it does not take.
 *
 * @throws GatewayError `invalid_request` for an effort that no dialect knows.
 */
export function nameUnsaidThinking(target: EffortTarget, sent: string | undefined): void {
  const { conversation, traits, sameDialect } = target;
  const { effort, budgetTokens } = conversation.reasoning ?? {};
  if (sameDialect) return;
  if (effort !== undefined) checkEffort(effort, callerWord(conversation, 'effort'));
  const word = callerWord(conversation, 'reasoning');
  const isOff = effort === 'none' || (effort === undefined && budgetTokens === 0);
  if (isOff && sent !== undefined && sent !== 'none') target.drop(changedTo(word, sent));
  if (!isOff && sent !== undefined) nameFittedEffort(target, sent);
  const isLeftToModel = sent === undefined && budgetTokens !== undefined && budgetTokens < 0;
  // OpenAI's models that reason do so unasked; of all others nothing is known.
  if (isLeftToModel && traits.reasoning !== 'yes') target.drop(word);
}

function nameFittedEffort(target: EffortTarget, sent: string): void {
  const { conversation, traits } = target;
  const { effort, budgetTokens = -1 } = conversation.reasoning ?? {};
  if (effort === undefined) {
    const meant = budgetTokens > 0 ? effortForBudget(budgetTokens, traits) : sent;
    if (sent !== meant) target.drop(changedTo(thinkingBudgetWord(conversation), sent));
  } else if (sent !== effort) {
    target.drop(changedTo(callerWord(conversation, 'effort'), sent));
  }
}

type EffortTarget = Pick<Target, 'conversation' | 'traits' | 'sameDialect' | 'drop'>;

/** Whether the written request makes a model think that does not think without being told. */
export function asksForReasoning(
  fields: Record<string, JsonValue | undefined>,
  traits: Pick<ModelTraits, 'reasonsUnsaid'>,
): boolean {
  return reasons(fields['reasoning_effort'], traits);
}

/** Whether a model that may reason does, by the effort that it is told. */
export function reasons(
  effort: JsonValue | undefined,
  { reasonsUnsaid }: Pick<ModelTraits, 'reasonsUnsaid'>,
): boolean {
  return typeof effort === 'string' ? effort !== 'none' : reasonsUnsaid;
}

/** OpenAI's word for how much the model may think, as the model takes it; `undefined` where nothing need be said. */
export function effortOf(
  { effort, budgetTokens }: ReasoningRequest,
  { traits, sameDialect }: Pick<Target, 'traits' | 'sameDialect'>,
): string | undefined {
  if (effort === 'none' && !sameDialect) return traits.leastEffort;
  if (effort !== undefined) return sameDialect ? effort : fitEffort(effort, traits);
  if (budgetTokens === undefined) return undefined;
  // -1: the model decides, which it does when nothing is said, unless it then does not think at all.
  if (budgetTokens < 0)
    return traits.reasoning === 'yes' && traits.leastEffort === 'none' ? 'medium' : undefined;
  if (budgetTokens === 0) return traits.leastEffort;
  return fitEffort(effortForBudget(budgetTokens, traits), traits);
}

function effortForBudget(budgetTokens: number, { leastEffort }: ModelTraits): string {
  const stepped = effortOfBudget(budgetTokens);
  return stepped === leastEffort ? stepped : EFFORTS_OF_ALL[stepped];
}

/** The nearest effort that the model takes and that is no more than the one asked for, or else its least: not to think is none. */
export function fitEffort(asked: string, { efforts }: Pick<ModelTraits, 'efforts'>): string {
  if (!efforts || efforts.includes(asked)) return asked;
  const thinking = efforts.filter((effort) => effort !== 'none');
  const fitting = thinking.findLast((effort) => compareEfforts(effort, asked) <= 0);
  return fitting ?? thinking[0] ?? asked;
}
