import type { JsonObject, JsonValue } from '../../conversation/json.ts';

/** Whether a text completion is asked for something that no conversation can say. What is of a wrong type is not: it is refused. */
export function isBeyondChat({ prompt, suffix, echo, logprobs, best_of: best }: JsonObject): boolean {
  return (
    (typeof suffix === 'string' && suffix !== '') ||
    echo === true ||
    typeof logprobs === 'number' ||
    (typeof best === 'number' && best > 1) ||
    isNoOneText(prompt)
  );
}

/** Several prompts, or token ids. */
function isNoOneText(prompt: JsonValue | undefined): boolean {
  if (!Array.isArray(prompt)) return false;
  return prompt.length > 1 || typeof prompt[0] === 'number' || Array.isArray(prompt[0]);
}
