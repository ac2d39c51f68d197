import type { Conversation, Parameters } from '../../conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import { changedTo } from '../caller-words.ts';
import { geminiModalities } from '../foreign-fields.ts';
import { parameterName, planParameters, tooManyAnswers } from '../parameters.ts';
import type { ModelTraits } from './models.ts';
import { defined } from './proto.ts';
import { encodeThinking } from './thinking.ts';

/** Source: Gemini API reference, `GenerationConfig.stopSequences`. */
export const MOST_STOPS = 5;

/**
 * `generationConfig`; what the model does not take of it is dropped and named, or refused where the answer would be another one.
 *
 * @param format what brings the answer into the form that the caller wants
 */
export function encodeGenerationConfig(
  conversation: Conversation,
  traits: ModelTraits,
  format: JsonObject | undefined,
): { config: JsonObject | undefined; dropped: string[] } {
  const { written, dropped } = planParameters(conversation, 'gemini');
  const config = new Map<string, JsonValue | undefined>();
  // What a model does not take, or too much of it, is for the API to say to a caller of its own dialect.
  const isNative = conversation.dialect === 'gemini';
  for (const { key, path, value } of written) {
    if (!isNative && isUnknown(key, traits)) {
      // What asks for nothing is no loss.
      if (!asksForNothing(key, value)) dropped.push(parameterName(conversation, key));
      continue;
    }
    const taken = isNative ? value : fit(conversation, key, traits, dropped);
    // Every path of this dialect in the table is a field of generationConfig.
    config.set(path.slice(path.indexOf('.') + 1), taken as JsonValue);
  }
  const thinking = encodeThinking(conversation, traits.thinking);
  const all = {
    ...Object.fromEntries(config),
    ...format,
    ...defined({
      responseModalities: geminiModalities(conversation),
      thinkingConfig: thinking.thinkingConfig,
    }),
  };
  return {
    config: Object.keys(all).length > 0 ? all : undefined,
    dropped: [...dropped, ...thinking.dropped],
  };
}

/** A penalty of 0, or no probabilities. */
function asksForNothing(key: keyof Parameters, value: unknown): boolean {
  return value === false || (value === 0 && key.endsWith('Penalty'));
}

function isUnknown(key: keyof Parameters, { penalties, logprobs, sampling }: ModelTraits): boolean {
  if (key === 'temperature' || key === 'topP' || key === 'topK') return !sampling;
  if (key === 'frequencyPenalty' || key === 'presencePenalty') return !penalties;
  return (key === 'logprobs' || key === 'topLogprobs') && !logprobs;
}

/** The value, or as much of it as the model takes. */
function fit(
  conversation: Conversation,
  key: keyof Parameters,
  { mostOutputTokens, mostCandidates }: ModelTraits,
  dropped: string[],
): unknown {
  const { maxOutputTokens = 0, n = 1 } = conversation.parameters;
  if (key === 'n' && n > mostCandidates) throw tooManyAnswers(conversation, mostCandidates);
  if (key !== 'maxOutputTokens' || maxOutputTokens <= mostOutputTokens) return conversation.parameters[key];
  dropped.push(changedTo(parameterName(conversation, key), mostOutputTokens));
  return mostOutputTokens;
}
