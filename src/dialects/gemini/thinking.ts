import type { Conversation, ReasoningRequest } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { callerWord, changedTo, thinkingBudgetWord, wordsOfThinking } from '../caller-words.ts';
import { checkEffort } from '../effort-words.ts';
import { THINKING_LEVELS, type Thinking, type ThinkingLevel } from './models.ts';
import { defined, extraOf, messageIn, ownFields, readMessage } from './proto.ts';

/** OpenAI's words for effort as levels; `none` is not one. */
const LEVEL_OF_EFFORT: Record<string, ThinkingLevel> = {
  minimal: 'minimal',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
  max: 'high',
};

/**
 * Google's own translation of OpenAI's words for models with a budget (Gemini API docs, "OpenAI compatibility"), but for
 * `minimal`, which is no less than `low` there and would come back as that.
 */
export const BUDGET_OF_EFFORT: Record<string, number> = {
  minimal: 512,
  low: 1024,
  medium: 8192,
  high: 24_576,
  xhigh: Number.POSITIVE_INFINITY,
  max: Number.POSITIVE_INFINITY,
};

/** `thinkingBudget` that leaves the amount to the model. */
const DYNAMIC_BUDGET = -1;

interface EncodedThinking {
  thinkingConfig?: JsonObject;
  dropped: string[];
}

/**
 * The `thinkingConfig` for a reasoning request. Where the model has no such level or budget the next one up is
 * taken, or the highest; `none` on a model that always thinks becomes its least. Each such change is named.
 *
 * @throws GatewayError `invalid_request` for an effort that no dialect knows.
 */
export function encodeThinking(conversation: Conversation, thinking: Thinking): EncodedThinking {
  const { reasoning } = conversation;
  if (!reasoning) return { dropped: [] };
  const { effort, budgetTokens } = reasoning;
  if (effort !== undefined) checkEffort(effort, callerWord(conversation, 'effort'));

  const off = effort === 'none' || (effort === undefined && budgetTokens === 0);
  if (thinking.by === 'nothing') return { dropped: off ? [] : wordsOfThinking(conversation) };

  const amount = amountOf(reasoning, thinking, off);
  const thinkingConfig = defined({
    ...amount,
    includeThoughts: wantsThoughts(conversation, reasoning, off),
    ...ownFields(reasoning.extra),
  });
  const dropped = changedAmount(conversation, reasoning, amount, off);
  return Object.keys(thinkingConfig).length > 0 ? { thinkingConfig, dropped } : { dropped };
}

function amountOf(
  { effort, budgetTokens }: ReasoningRequest,
  thinking: Exclude<Thinking, { by: 'nothing' }>,
  off: boolean,
): JsonObject {
  if (thinking.by === 'level') {
    if (off) return { thinkingLevel: thinking.levels[0]?.toUpperCase() };
    if (effort !== undefined) return { thinkingLevel: nearestLevel(effort, thinking.levels).toUpperCase() };
    // Models with levels still take a budget, and a budget says more than the level nearest to it would.
    return budgetTokens === undefined ? {} : { thinkingBudget: budgetTokens };
  }
  if (off) return { thinkingBudget: thinking.off ? 0 : thinking.min };
  // Adaptive thinking goes by its effort.
  const said = budgetTokens === DYNAMIC_BUDGET && effort !== undefined ? undefined : budgetTokens;
  const budget = said ?? BUDGET_OF_EFFORT[effort ?? ''];
  if (budget === undefined) return {};
  if (budget === DYNAMIC_BUDGET) return { thinkingBudget: DYNAMIC_BUDGET };
  return { thinkingBudget: Math.min(Math.max(budget, thinking.min), thinking.max) };
}

/** How the amount differs from what was asked for. A budget for an effort says it in other words, `none` apart. */
function changedAmount(
  conversation: Conversation,
  { effort, budgetTokens }: ReasoningRequest,
  { thinkingLevel, thinkingBudget }: JsonObject,
  off: boolean,
): string[] {
  if (effort === undefined) {
    const sent = thinkingBudget ?? thinkingLevel;
    if (typeof sent !== 'number' && typeof sent !== 'string') return [];
    return sent === budgetTokens ? [] : [changedTo(thinkingBudgetWord(conversation), sent)];
  }
  // That nothing be thought is said of thinking; only some say it as an effort.
  const word = callerWord(conversation, off ? 'reasoning' : 'effort');
  if (typeof thinkingLevel === 'string') {
    const level = thinkingLevel.toLowerCase();
    return level === effort ? [] : [changedTo(word, level)];
  }
  return off && thinkingBudget !== 0 ? [changedTo(word, 'minimal')] : [];
}

function nearestLevel(effort: string, levels: readonly ThinkingLevel[]): ThinkingLevel {
  const wanted = THINKING_LEVELS.indexOf(LEVEL_OF_EFFORT[effort] ?? 'high');
  return levels.find((level) => THINKING_LEVELS.indexOf(level) >= wanted) ?? levels.at(-1) ?? 'high';
}

/** Gemini tells its thoughts only when asked to; callers of other dialects expect to see what they asked for. */
function wantsThoughts(
  conversation: Conversation,
  { includeText }: ReasoningRequest,
  off: boolean,
): boolean | undefined {
  if (includeText !== undefined) return includeText;
  return conversation.dialect === 'gemini' || off ? undefined : true;
}

/**
 * Whether the client that sent this body wants to see thoughts: Google sends them only then, and clients take every text for
 * the answer. What is withheld rides in the signatures of function calls, for providers that demand it back.
 *
 * @param request `undefined`: nothing is known of it
 */
export function showsThoughts(request: JsonObject | undefined): boolean {
  if (!request) return true;
  const config = messageIn(readMessage(request), 'generationConfig');
  return (config && messageIn(config, 'thinkingConfig'))?.['includeThoughts'] === true;
}

/** The inverse: a `thinkingConfig` (its fields under their JSON names) as a reasoning request. */
export function decodeThinking(config: JsonObject): ReasoningRequest {
  const { thinkingLevel, thinkingBudget, includeThoughts, ...rest } = config;
  const level = typeof thinkingLevel === 'string' ? thinkingLevel.toLowerCase() : undefined;
  const known = THINKING_LEVELS.find((candidate) => candidate === level);
  if (thinkingLevel !== undefined && known === undefined) rest['thinkingLevel'] = thinkingLevel;
  return defined({
    effort: known,
    budgetTokens: typeof thinkingBudget === 'number' ? thinkingBudget : undefined,
    includeText: typeof includeThoughts === 'boolean' ? includeThoughts : undefined,
    extra: extraOf(rest),
  });
}
