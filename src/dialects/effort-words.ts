import { unknownWord } from './read-json.ts';

/** OpenAI's words for how much a model may think, which are the neutral ones; `max` is that of its kin. */
const EFFORT_WORDS: readonly string[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

/** @throws GatewayError `invalid_request` for an effort that no dialect knows; `path` in the caller's words. */
export function checkEffort(word: string, path: string): void {
  if (!EFFORT_WORDS.includes(word)) throw unknownWord(word, EFFORT_WORDS, path);
}
