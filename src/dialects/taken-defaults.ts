import type { DialectName, Parameters } from '../conversation/conversation.ts';
import { SAMPLING_PARAMETERS, modelTraits as traitsOfOpenAi } from './chat/model-traits.ts';
import type { DefaultParameters } from './default-parameters.ts';
import type { CallerDialectName } from './dialect.ts';
import { LEAST_TOP_P_WITH_THINKING } from './messages/encode-parameters.ts';
import { modelTraits as traitsOfClaude } from './messages/model-traits.ts';
import type { NamedModel } from './model-names.ts';

/** A field beside which a model refuses a parameter, unless its value holds the word. */
export interface Rival {
  field: string;
  unless?: string;
}

export interface TakenDefault {
  value: number;
  beside: readonly Rival[];
}

type Key = keyof DefaultParameters;

/** How a model takes a parameter where the body passes through; `undefined`: not at all. What is translated its codec fits to the model. */
export function takenDefault(
  key: Key,
  parameters: DefaultParameters,
  dialect: CallerDialectName,
  model: NamedModel,
): TakenDefault | undefined {
  const value = parameters[key];
  if (value === undefined) return undefined;
  switch (dialect) {
    case 'chat':
      return takenByOpenAi(key, value, { field: 'reasoning_effort', unless: '"none"' }, model);
    case 'responses':
      return takenByOpenAi(key, value, { field: 'reasoning', unless: '"none"' }, model);
    case 'messages':
      return takenByClaude(key, value, parameters, model.name);
    case 'gemini':
      return { value, beside: [] };
  }
}

/** What a call that is translated says, with the defaults that it does not. None takes the place of what it says itself. */
export function withDefaults(
  said: Parameters,
  defaults: DefaultParameters,
  dialect: DialectName,
  model: string,
): Parameters {
  const all = { ...defaults, ...said };
  const isClaudes = dialect === 'messages' || dialect === 'converse';
  const saysOne = (said.temperature === undefined) !== (said.topP === undefined);
  if (!isClaudes || !saysOne || traitsOfClaude(model).sampling !== 'one') return all;
  const { temperature: _t, topP: _p, ...others } = defaults;
  return { ...others, ...said };
}

function takenByOpenAi(
  key: Key,
  value: number,
  effort: Rival,
  { name, names }: NamedModel,
): TakenDefault | undefined {
  if (names === 'anyone') return { value, beside: [] };
  const { sampling, openParameters } = traitsOfOpenAi(name, names);
  if (key === 'topK' && !openParameters) return undefined;
  if (sampling === 'always' || !SAMPLING_PARAMETERS.has(key)) return { value, beside: [] };
  return sampling === 'never' ? undefined : { value, beside: [effort] };
}

function takenByClaude(
  key: Key,
  value: number,
  { temperature }: DefaultParameters,
  model: string,
): TakenDefault | undefined {
  if (key !== 'temperature' && key !== 'topP' && key !== 'topK') return { value, beside: [] };
  const { sampling, limitIsKnown } = traitsOfClaude(model);
  if (sampling === 'none') return undefined;
  const isOne = sampling === 'one';
  const thinking: Rival = { field: 'thinking', unless: '"disabled"' };
  switch (key) {
    case 'temperature': {
      const taken = limitIsKnown ? Math.min(value, 1) : value;
      const beside = isOne ? [{ field: 'top_p' }] : [];
      return { value: taken, beside: taken === 1 ? beside : [...beside, thinking] };
    }
    case 'topP': {
      if (isOne && temperature !== undefined) return undefined;
      const beside = isOne ? [{ field: 'temperature' }] : [];
      return { value, beside: value >= LEAST_TOP_P_WITH_THINKING ? beside : [...beside, thinking] };
    }
    case 'topK':
      return { value, beside: [thinking] };
  }
}
