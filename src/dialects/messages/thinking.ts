import type { ReasoningRequest } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { callerWord, changedTo, thinkingBudgetWord } from '../caller-words.ts';
import { checkEffort, effortOfBudget } from '../effort-words.ts';
import { ungrantedView } from '../shown-reasoning.ts';
import type { EncodeContext } from './encode-context.ts';
import { ownFields, splitInner } from './fields.ts';
import { EFFORTS, type Effort, type ModelTraits } from './model-traits.ts';

export interface ThinkingPlan {
  thinking?: JsonObject;
  /** `output_config.effort` */
  effort?: Effort;
}

export interface ThinkingFacts {
  maxTokens: number;
  /** The model must call a tool: a thinking budget cannot be combined with that, adaptive thinking can. */
  toolIsForced: boolean;
  /** The running turn called tools and its thinking is not there: with a budget the API demands it back. */
  thinkingIsLost: boolean;
}

/** Source: Messages API reference (`ThinkingConfigEnabled`). */
const LEAST_BUDGET = 1_024;

/** Thinking counts towards `max_tokens`, so an effort takes no more than this share of it. */
const BUDGET_SHARE = 0.8;

/** What an effort means on models that are steered by budgets. */
const BUDGETS: Record<Effort, number> = {
  low: 4_096,
  medium: 12_288,
  high: 24_576,
  xhigh: 32_768,
  max: 49_152,
};
const DEFAULT_EFFORT: Effort = 'medium';

/** Thinking and effort, as the caller's wish and the model's abilities have them. */
export function planThinking(context: EncodeContext, facts: ThinkingFacts): ThinkingPlan {
  const { conversation, isNative, dropped } = context;
  const plan = withOwnThinking(chooseThinking(context, facts), conversation.reasoning);
  const ungranted = isNative ? undefined : ungrantedView(conversation, isShown(plan));
  if (ungranted !== undefined && !dropped.has(callerWord(conversation, 'reasoning'))) dropped.add(ungranted);
  return plan;
}

/** With what the API's own callers say of their thinking beyond that. */
function withOwnThinking(plan: ThinkingPlan, wish: ReasoningRequest | undefined): ThinkingPlan {
  const { inner } = splitInner(wish?.extra, 'thinking');
  return plan.thinking ? { ...plan, thinking: { ...inner, ...plan.thinking } } : plan;
}

/** Where a budget is thought through, the thoughts are told. */
function isShown({ thinking }: ThinkingPlan): boolean {
  if (thinking?.['type'] === 'adaptive') return thinking['display'] === 'summarized';
  return thinking?.['type'] === 'enabled';
}

function chooseThinking(context: EncodeContext, facts: ThinkingFacts): ThinkingPlan {
  const { conversation, traits, isNative, dropped } = context;
  const wish = conversation.reasoning;
  if (!wish) return {};
  if (wish.effort !== undefined) checkEffort(wish.effort, callerWord(conversation, 'effort'));
  if (wish.effort === 'none' || wish.budgetTokens === 0) return planOff(context);

  const effort = fitEffort(context, wish.effort);
  // Callers of this dialect say effort and thinking apart; for all others an effort is a wish to think.
  if (wish.budgetTokens === undefined && (isNative || wish.effort === undefined)) return noThinking(effort);

  const budget = wish.budgetTokens !== undefined && wish.budgetTokens > 0 ? wish.budgetTokens : undefined;
  switch (traits.thinking) {
    case 'none':
      dropped.add(callerWord(conversation, 'reasoning'));
      return noThinking(effort);
    case 'budget':
      return planBudget(context, facts, budget, effort);
    case 'both':
      return budget === undefined
        ? planAdaptive(context, effort)
        : planBudget(context, facts, budget, effort);
    case 'adaptive':
      if (budget === undefined) return planAdaptive(context, effort);
      dropped.add(thinkingBudgetWord(conversation));
      return planAdaptive(context, effort ?? nearestEffort(traits, readEffort(effortOfBudget(budget))));
    default:
      return traits.thinking satisfies never;
  }
}

function noThinking(effort: Effort | undefined): ThinkingPlan {
  return effort ? { effort } : {};
}

function planOff(context: EncodeContext): ThinkingPlan {
  const { conversation, traits, isNative, dropped } = context;
  const own = ownFields(conversation.reasoning?.extra)['effort'];
  const beside = noThinking(typeof own === 'string' ? fitEffort(context, own) : undefined);
  switch (traits.thinkingOff) {
    case 'absent':
      return isNative ? { thinking: { type: 'disabled' }, ...beside } : {};
    case 'disabled':
    case 'between_tools':
      return { thinking: { type: traits.thinkingOff }, ...beside };
    case 'never':
      dropped.add(changedTo(callerWord(conversation, 'reasoning'), 'low'));
      return { effort: 'low' };
    default:
      return traits.thinkingOff satisfies never;
  }
}

function planAdaptive(context: EncodeContext, effort: Effort | undefined): ThinkingPlan {
  return { thinking: { type: 'adaptive', ...display(context) }, ...noThinking(effort) };
}

function planBudget(
  context: EncodeContext,
  facts: ThinkingFacts,
  asked: number | undefined,
  effort: Effort | undefined,
): ThinkingPlan {
  const { conversation, dropped, isNative } = context;
  if (facts.toolIsForced || facts.thinkingIsLost || facts.maxTokens <= LEAST_BUDGET) {
    dropped.add(callerWord(conversation, 'reasoning'));
    return isNative ? noThinking(effort) : {};
  }
  const wished = asked ?? effortBudget(conversation.reasoning?.effort);
  const most = asked === undefined ? Math.floor(facts.maxTokens * BUDGET_SHARE) : facts.maxTokens - 1;
  const budget = Math.max(LEAST_BUDGET, Math.min(wished, most));
  if (asked !== undefined && budget !== asked) {
    dropped.add(changedTo(thinkingBudgetWord(conversation), budget));
  }
  return {
    thinking: { type: 'enabled', budget_tokens: budget, ...(isNative ? display(context) : {}) },
    ...(isNative ? noThinking(effort) : {}),
  };
}

/** Newer models send no thinking text unless asked; callers of other dialects expect the reasoning they paid for. */
function display({ conversation, traits, isNative }: EncodeContext): JsonObject {
  const wanted = conversation.reasoning?.includeText;
  if (wanted !== undefined) return { display: wanted ? 'summarized' : 'omitted' };
  return traits.thinking === 'adaptive' && !isNative ? { display: 'summarized' } : {};
}

/** The nearest effort that the model has and that costs no more than the one asked for. */
function fitEffort(
  { conversation, traits, dropped, isNative }: EncodeContext,
  word: string | undefined,
): Effort | undefined {
  if (word === undefined) return undefined;
  const asked = readEffort(word);
  // Where thinking goes by budgets, another dialect's effort becomes one, and is lost only if that is.
  const isBudget = traits.thinking === 'budget' || traits.thinking === 'none';
  if (asked && isBudget && !isNative) return undefined;
  const fitting = nearestEffort(traits, asked);
  const name = callerWord(conversation, 'effort');
  if (!fitting) dropped.add(name);
  else if (fitting !== word) dropped.add(changedTo(name, fitting));
  return fitting;
}

export function nearestEffort(
  { efforts }: Pick<ModelTraits, 'efforts'>,
  asked: Effort | undefined,
): Effort | undefined {
  return asked && efforts.findLast((effort) => EFFORTS.indexOf(effort) <= EFFORTS.indexOf(asked));
}

/** OpenAI's `minimal` is the least there is. */
export function readEffort(word: string): Effort | undefined {
  return word === 'minimal' ? 'low' : EFFORTS.find((effort) => effort === word);
}

function effortBudget(word: string | undefined): number {
  if (word === 'minimal') return LEAST_BUDGET;
  return BUDGETS[(word === undefined ? undefined : readEffort(word)) ?? DEFAULT_EFFORT];
}
