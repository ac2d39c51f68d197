import type { JsonObject, JsonValue } from '../conversation/json.ts';
import { PromptFileError } from './problem.ts';

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

/** What is said of a parameter where its value is none, by its name in the chat dialect; what a provider takes beyond that is its matter. */
function faultOf(name: string, value: JsonValue): string | undefined {
  if (name === 'stop') return isTexts(value) ? undefined : 'must be a text, or a list of texts';
  if (TEXTS.has(name)) return typeof value === 'string' ? undefined : 'must be a text';
  const { least, most } = BOUNDS[name] ?? {};
  const isWhole = WHOLE.has(name);
  const isIt =
    typeof value === 'number' &&
    (isWhole ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
    value >= (least ?? value) &&
    value <= (most ?? value);
  if (isIt) return undefined;
  const from = least === undefined ? '' : `, from ${least}`;
  return `must be a ${isWhole ? 'whole ' : ''}number${from}${most === undefined ? '' : ` to ${most}`}`;
}

const BOUNDS: Readonly<Record<string, { least: number; most?: number }>> = {
  temperature: { least: 0 },
  top_p: { least: 0, most: 1 },
  top_k: { least: 0 },
  max_tokens: { least: 1 },
};

function isTexts(value: JsonValue): boolean {
  const texts = Array.isArray(value) ? value : [value];
  return texts.every((text) => typeof text === 'string');
}

/**
 * The parameters of a `config`, in the words of the chat dialect.
 *
 * @param lineOf the line of one of them in the file
 * @throws PromptFileError
 */
export function chatParameters(
  config: JsonObject,
  lineOf: (parameter: string) => number | undefined,
): JsonObject {
  const parameters: JsonObject = {};
  const names = new Map<string, string>();
  for (const [parameter, value = null] of Object.entries(config)) {
    const fail = (message: string) => new PromptFileError(message, lineOf(parameter));
    const own = parameterName(parameter);
    if (own === undefined) throw fail(`'${parameter}' is no parameter of a prompt`);
    if (value === null) continue;
    const fault = faultOf(own, value);
    if (fault !== undefined) throw fail(`'${parameter}' ${fault}`);
    const other = names.get(own);
    if (other !== undefined) throw fail(`'${parameter}' and '${other}' are the same parameter`);
    names.set(own, parameter);
    parameters[own] = value;
  }
  return parameters;
}
