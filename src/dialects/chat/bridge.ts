import type { JsonValue } from '../../conversation/json.ts';
import { Adaptation, type Bridge } from '../bridge.ts';
import { isEffort } from '../effort-words.ts';
import { type ModelTraits, modelTraits } from './model-traits.ts';
import { fitEffort, reasons } from './reasoning-request.ts';

/** Sampling parameters in this dialect's words, and the value at which models that take none take them. */
const SAMPLING = new Map<string, JsonValue | undefined>([
  ['temperature', 1],
  ['top_p', 1],
  ['presence_penalty', 0],
  ['frequency_penalty', 0],
  ['logprobs', undefined],
  ['top_logprobs', undefined],
  ['logit_bias', undefined],
]);

/** OpenAI's models: efforts and sampling parameters. The word for the output limit is a matter of providers (`quirks.ts`). */
export const bridge: Bridge = {
  fields: ['reasoning_effort', ...SAMPLING.keys()],
  adapt: (said, { name, names }) => {
    const adaptation = new Adaptation();
    // Of the models behind other servers of this kind the server knows more.
    if (names === 'anyone') return adaptation;
    const traits = modelTraits(name, names);
    if (traits.openParameters) return adaptation;
    const effort = adaptEffort(adaptation, 'reasoning_effort', said['reasoning_effort'], traits);
    if (!refusesSampling(traits, effort)) return adaptation;
    for (const [field, taken] of SAMPLING) {
      const value = said[field];
      if (value !== undefined && value !== null && value !== taken) adaptation.leaveOut(field);
    }
    return adaptation;
  },
};

/** Whether the model takes no sampling parameters with this effort. */
export function refusesSampling(traits: ModelTraits, effort: JsonValue | undefined): boolean {
  return traits.sampling === 'never' || (traits.sampling === 'without_reasoning' && reasons(effort, traits));
}

/** Fits the effort of a request to the model, and gives the one that it has then. */
export function adaptEffort(
  adaptation: Adaptation,
  field: string,
  effort: JsonValue | undefined,
  traits: ModelTraits,
): JsonValue | undefined {
  // A word that nobody knows is the provider's to refuse.
  if (!isEffort(effort)) return effort;
  if (traits.reasoning === 'no') {
    adaptation.leaveOut(field);
    return undefined;
  }
  const fitted = fittedEffort(effort, traits);
  if (fitted !== effort) adaptation.fit(field, fitted);
  return fitted;
}

/** Nothing thought at all is the least that there is; else the nearest that is no more than what was asked for. */
export function fittedEffort(effort: string, traits: ModelTraits): string {
  const { efforts, leastEffort = effort } = traits;
  if (effort === 'none') return efforts && !efforts.includes(effort) ? leastEffort : effort;
  return fitEffort(effort, traits);
}
