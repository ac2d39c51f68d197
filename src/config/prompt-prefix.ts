/** What stands before a prompt's name where a client puts a model. No provider can have the name. */
export const PROMPT_PREFIX = 'prompt/';

/** The prompt, or pattern of prompts, that is named where a model may stand; `undefined` where it is a model. */
export function promptNamed(model: string): string | undefined {
  return model.startsWith(PROMPT_PREFIX) ? model.slice(PROMPT_PREFIX.length) : undefined;
}
