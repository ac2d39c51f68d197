import type { JsonObject } from '../conversation/json.ts';

/** Names of a prompt file's `config` (those of Genkit, which most files have) and of the chat dialect: the chat dialect's. */
const NAMES: Readonly<Record<string, string>> = {
  temperature: 'temperature',
  maxOutputTokens: 'max_tokens',
  max_tokens: 'max_tokens',
  max_completion_tokens: 'max_tokens',
  max_output_tokens: 'max_tokens',
  topP: 'top_p',
  top_p: 'top_p',
  topK: 'top_k',
  top_k: 'top_k',
  stopSequences: 'stop',
  stop: 'stop',
  frequencyPenalty: 'frequency_penalty',
  frequency_penalty: 'frequency_penalty',
  presencePenalty: 'presence_penalty',
  presence_penalty: 'presence_penalty',
  seed: 'seed',
  reasoningEffort: 'reasoning_effort',
  reasoning_effort: 'reasoning_effort',
  verbosity: 'verbosity',
};

/** The chat dialect's name of a parameter; `undefined` where it is none that a prompt has. */
export function parameterName(name: string): string | undefined {
  return Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
}

const WHOLE: ReadonlySet<string> = new Set(['max_tokens', 'top_k', 'seed']);
const TEXTS: ReadonlySet<string> = new Set(['model', 'stop', 'reasoning_effort', 'verbosity']);

/** What may be said of a parameter in a URL, by its name in the chat dialect; `model` is one of them there. */
export function parameterSchema(name: string): JsonObject {
  if (WHOLE.has(name)) return { type: 'integer' };
  return { type: TEXTS.has(name) ? 'string' : 'number' };
}

export function chatParameters(config: JsonObject): JsonObject {
  const parameters: JsonObject = {};
  for (const [name, value] of Object.entries(config)) {
    const own = parameterName(name);
    if (own !== undefined && value !== undefined && value !== null) parameters[own] = value;
  }
  return parameters;
}
