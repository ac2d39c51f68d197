import { isObject, type JsonValue } from '../../conversation/json.ts';
import { Adaptation, type Bridge } from '../bridge.ts';
import { changedTo } from '../caller-words.ts';
import { fittedEffort, refusesSampling } from '../chat/bridge.ts';
import { modelTraits } from '../chat/model-traits.ts';
import { isEffort } from '../effort-words.ts';

/** "Encrypted content is not supported with this model.", where there is none to come. */
const INCLUDE_REASONING = 'reasoning.encrypted_content';

/** What models that reason refuse, and the value at which they take it. */
const SAMPLING = new Map<string, number | undefined>([
  ['temperature', 1],
  ['top_p', 1],
  ['top_logprobs', undefined],
]);

/** OpenAI's models: efforts and sampling parameters. */
export const bridge: Bridge = {
  fields: ['reasoning', 'include', ...SAMPLING.keys()],
  adapt: (said, { name, names }) => {
    const adaptation = new Adaptation();
    if (names === 'anyone') return adaptation;
    const traits = modelTraits(name, names);
    if (traits.openParameters) return adaptation;
    const { reasoning, include } = said;
    if (traits.reasoning === 'no' && Array.isArray(include)) askForNoReasoning(adaptation, include);
    let effort = isObject(reasoning) ? reasoning['effort'] : undefined;
    const isOdd = effort !== undefined && effort !== null && !isEffort(effort);
    if (isObject(reasoning) && traits.reasoning === 'no' && !isOdd) adaptation.leaveOut('reasoning');
    else if (isObject(reasoning) && isEffort(effort)) {
      const fitted = fittedEffort(effort, traits);
      if (fitted !== effort) {
        adaptation.write('reasoning', { ...reasoning, effort: fitted });
        adaptation.dropped.push(changedTo('reasoning.effort', fitted));
      }
      effort = fitted;
    }
    if (!refusesSampling(traits, effort)) return adaptation;
    for (const [field, usual] of SAMPLING) {
      const value = said[field];
      if (value === undefined || value === null) continue;
      // The usual value is refused as any other is.
      if (value === usual) adaptation.omit(field);
      else adaptation.leaveOut(field);
    }
    return adaptation;
  },
};

function askForNoReasoning(adaptation: Adaptation, include: readonly JsonValue[]): void {
  const rest = include.filter((wanted) => wanted !== INCLUDE_REASONING);
  if (rest.length === include.length) return;
  if (rest.length === 0) adaptation.omit('include');
  else adaptation.write('include', rest);
  adaptation.dropped.push(`include[${include.indexOf(INCLUDE_REASONING)}]`);
}
