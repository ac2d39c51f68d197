import type { Conversation } from '../conversation/conversation.ts';
import { callerWord } from './caller-words.ts';

/**
 * The caller's word for its wish to see what the model thinks, or not to, where that is not granted.
 *
 * @param shows whether the answer will hold what the model thinks
 */
export function ungrantedView(conversation: Conversation, shows: boolean): string | undefined {
  const { effort, budgetTokens } = conversation.reasoning ?? {};
  const includeText = wishToSee(conversation);
  if (includeText === undefined || includeText === shows) return undefined;
  // What these clients did not ask to see is withheld from them, whoever answers.
  if (!includeText && (conversation.dialect === 'messages' || conversation.dialect === 'gemini'))
    return undefined;
  // There is nothing to see then, and none the wiser.
  if (effort === 'none' || (effort === undefined && budgetTokens === 0)) return undefined;
  return callerWord(conversation, 'reasoningText');
}

/** Whether the caller wants to see what the model thinks; `undefined`: it does not say, and its dialect shows nothing unasked. */
export function wishToSee({ reasoning = {}, dialect }: Conversation): boolean | undefined {
  if (reasoning.includeText !== undefined) return reasoning.includeText;
  // In this dialect who turns thinking on is shown it, unless it says `display: omitted`.
  const { effort, budgetTokens } = reasoning;
  const isOn = effort !== 'none' && budgetTokens !== undefined && budgetTokens !== 0;
  return dialect === 'messages' && isOn ? true : undefined;
}
