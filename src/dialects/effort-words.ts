import type { JsonValue } from '../conversation/json.ts';
import { unknownWord } from './read-json.ts';

/** OpenAI's words for how much a model may think, which are the neutral ones, from little to much. */
const EFFORT_WORDS: readonly string[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

export type SteppedEffort = 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max';

/**
 * Up to which budget of tokens it is that effort. The budgets that stand for efforts at any provider lie within the step of
 * theirs (Google's 1,024, 8,192 and 24,576, ours for Claude), so that an effort that became one comes back as itself. Not so:
 * `minimal` at Claude, whose least budget is 1,024; efforts beyond a model's most budget; and what chat models do not know.
 */
const STEPS: readonly (readonly [upTo: number, effort: SteppedEffort])[] = [
  [512, 'minimal'],
  [4_096, 'low'],
  [12_288, 'medium'],
  [24_576, 'high'],
  [32_768, 'xhigh'],
];

/** What a budget of thinking comes to where only efforts are known. */
export function effortOfBudget(tokens: number): SteppedEffort {
  return STEPS.find(([upTo]) => tokens <= upTo)?.[1] ?? 'max';
}

/** Below zero where the first is less thinking. */
export function compareEfforts(one: string, other: string): number {
  return EFFORT_WORDS.indexOf(one) - EFFORT_WORDS.indexOf(other);
}

export function isEffort(word: JsonValue | undefined): word is string {
  return typeof word === 'string' && EFFORT_WORDS.includes(word);
}

/** @throws GatewayError `invalid_request` for an effort that no dialect knows; `path` in the caller's words. */
export function checkEffort(word: string, path: string): void {
  if (!EFFORT_WORDS.includes(word)) throw unknownWord(word, EFFORT_WORDS, path);
}
