import type { JsonObject } from '../../conversation/json.ts';
import { callerWord, changedTo, thinkingBudgetWord, wordsOfThinking } from '../caller-words.ts';
import { effortOfBudget } from '../effort-words.ts';
import { planThinking, type ThinkingFacts } from '../messages/thinking.ts';
import { ungrantedView } from '../shown-reasoning.ts';
import type { EncodeContext } from './encode-context.ts';

export interface ReasoningPlan {
  /** Fields of `additionalModelRequestFields`. */
  fields: JsonObject;
  /** `outputConfig.effort`. */
  effort?: string;
  /** Claude thinks, and so takes less of the sampling parameters. */
  thinks: boolean;
}

type Effort = 'low' | 'medium' | 'high';

/** What OpenAI's words of effort are on models that know three. */
const EFFORTS = new Map<string, Effort>([
  ['minimal', 'low'],
  ['low', 'low'],
  ['medium', 'medium'],
  ['high', 'high'],
  ['xhigh', 'high'],
  ['max', 'high'],
]);

/** Makes the model think as the caller wishes, as far as its family can be told to. */
export function planReasoning(context: EncodeContext, facts: ThinkingFacts): ReasoningPlan {
  const { conversation, traits, dropped } = context;
  if (traits.reasoning === 'claude') {
    const { thinking, effort } = planThinking(context.messages, facts);
    return {
      fields: thinking ? { thinking } : {},
      ...(effort ? { effort } : {}),
      thinks: thinking?.['type'] === 'enabled' || thinking?.['type'] === 'adaptive',
    };
  }
  const plan = planEffort(context);
  const ungranted = ungrantedView(conversation, Object.keys(plan.fields).length > 0);
  if (ungranted !== undefined && !dropped.has(callerWord(conversation, 'reasoning'))) dropped.add(ungranted);
  return plan;
}

function planEffort(context: EncodeContext): ReasoningPlan {
  const { conversation, traits, dropped } = context;
  const wish = conversation.reasoning;
  if (!wish) return { fields: {}, thinks: false };
  const isOff = wish.effort === 'none' || wish.budgetTokens === 0;
  if (traits.reasoning === 'none' || (isOff && traits.reasoning === 'reasoning_effort')) {
    // Whether such a model thinks is not ours to say.
    for (const word of wordsOfThinking(conversation)) dropped.add(word);
    return { fields: {}, thinks: false };
  }
  const effort = isOff ? undefined : readEffort(context);
  if (!effort) return { fields: {}, thinks: false };
  if (traits.reasoning !== 'reasoningConfig') {
    return { fields: { [traits.reasoning]: effort }, thinks: false };
  }
  const maxReasoningEffort = fitNovaEffort(context, effort);
  return { fields: { reasoningConfig: { type: 'enabled', maxReasoningEffort } }, thinks: false };
}

function readEffort({ conversation, dropped }: EncodeContext): Effort | undefined {
  const { effort: word, budgetTokens: budget } = conversation.reasoning ?? {};
  if (word !== undefined) {
    const effort = EFFORTS.get(word);
    const name = callerWord(conversation, 'effort');
    if (effort !== word) dropped.add(effort ? changedTo(name, effort) : name);
    if (effort) return effort;
  }
  if (budget === undefined || budget < 0) return undefined;
  const effort = EFFORTS.get(effortOfBudget(budget)) ?? 'high';
  dropped.add(changedTo(thinkingBudgetWord(conversation), effort));
  return effort;
}

/** With the highest effort Nova takes neither a limit nor sampling parameters (user guide, "Extended thinking"). */
function fitNovaEffort({ conversation, dropped }: EncodeContext, effort: Effort): Effort {
  const { maxOutputTokens, temperature, topP, topK } = conversation.parameters;
  const isSteered = [maxOutputTokens, temperature, topP, topK].some((value) => value !== undefined);
  if (effort !== 'high' || !isSteered) return effort;
  dropped.add(changedTo(callerWord(conversation, 'effort'), 'medium'));
  return 'medium';
}
