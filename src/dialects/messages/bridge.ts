import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { Adaptation, type Bridge } from '../bridge.ts';
import { changedTo } from '../caller-words.ts';
import { effortOfBudget } from '../effort-words.ts';
import { renameTools, saysRenamedTools } from './earlier-tools.ts';
import { demandTool } from './encode-tools.ts';
import { type ModelTraits, modelTraits } from './model-traits.ts';
import { nearestEffort, readEffort } from './thinking.ts';

/** Claude: what a model's thinking is told by, which sampling parameters it takes, and tools that have other names by now. */
export const bridge: Bridge = {
  fields: ['temperature', 'top_p', 'top_k', 'thinking', 'output_config', 'tool_choice', 'tools'],
  beside: ['system'],
  adapt: (said, { name, names }, bytes) => {
    const adaptation = new Adaptation();
    const traits = modelTraits(name);
    // Others behind an API of this kind take what they take.
    if (names === 'anyone' || !traits.isKnown) return adaptation;
    adaptSampling(adaptation, said, traits);
    adaptThinking(adaptation, said, traits);
    adaptToolChoice(adaptation, said['tool_choice'], traits, bytes);
    if (said['tools'] !== undefined && saysRenamedTools(bytes('tools'))) {
      renameTools(adaptation, said['tools'], traits);
    }
    return adaptation;
  },
};

function adaptSampling(adaptation: Adaptation, said: JsonObject, { sampling }: ModelTraits): void {
  const has = (field: string) => said[field] !== undefined && said[field] !== null;
  if (sampling === 'one' && has('temperature') && has('top_p')) adaptation.leaveOut('top_p');
  if (sampling !== 'none') return;
  // 1 is what is so anyway, and taken; of top_k every value says something.
  for (const field of ['temperature', 'top_p']) {
    if (has(field) && said[field] !== 1) adaptation.leaveOut(field);
  }
  if (has('top_k')) adaptation.leaveOut('top_k');
}

function adaptThinking(adaptation: Adaptation, said: JsonObject, traits: ModelTraits): void {
  const { thinking, output_config: config } = said;
  const type = isObject(thinking) ? thinking['type'] : undefined;
  const asked = isObject(config) ? config['effort'] : undefined;
  const effort =
    typeof asked === 'string' ? fitEffort(adaptation, config as JsonObject, asked, traits) : undefined;
  if (type === 'enabled' && traits.thinking === 'adaptive') {
    const said = thinking as JsonObject;
    // What is no budget is the provider's to refuse.
    if (isBudget(said['budget_tokens'])) fromBudget(adaptation, said, config, effort, traits);
  } else if (type === 'adaptive' && traits.thinking === 'budget') adaptation.leaveOut('thinking');
  else if (type !== undefined && type !== 'disabled' && traits.thinking === 'none')
    adaptation.leaveOut('thinking');
  else if (type === 'disabled') adaptOff(adaptation, traits);
}

function isBudget(value: JsonValue | undefined): boolean {
  return value === undefined || (typeof value === 'number' && value > 0);
}

/** How much is thought is an effort by now. Thoughts are told where a budget is thought through, and elsewhere only on demand. */
function fromBudget(
  adaptation: Adaptation,
  thinking: JsonObject,
  config: JsonValue | undefined,
  said: string | undefined,
  traits: ModelTraits,
): void {
  const { type: _, budget_tokens: budget, display = 'summarized', ...rest } = thinking;
  const adaptive = { ...rest, type: 'adaptive', display };
  const effort =
    typeof budget === 'number' ? nearestEffort(traits, readEffort(effortOfBudget(budget))) : undefined;
  adaptation.write('thinking', adaptive);
  if (said !== undefined || effort === undefined) {
    adaptation.dropped.push('thinking.budget_tokens');
    return;
  }
  adaptation.rename('thinking.budget_tokens', changedTo('output_config.effort', effort));
  const output = { ...(isObject(config) ? config : {}), effort };
  if (config === undefined) {
    const both = [adaptation.entries.get('thinking'), `"output_config":${JSON.stringify(output)}`];
    adaptation.entries.set('thinking', both.join(','));
  } else adaptation.write('output_config', output);
}

function adaptOff(adaptation: Adaptation, { thinkingOff }: ModelTraits): void {
  if (thinkingOff === 'never') adaptation.leaveOut('thinking');
  if (thinkingOff !== 'between_tools') return;
  adaptation.write('thinking', { type: thinkingOff });
  adaptation.dropped.push(changedTo('thinking.type', thinkingOff));
}

/** Gives the effort that stays. */
function fitEffort(
  adaptation: Adaptation,
  config: JsonObject,
  asked: string,
  traits: ModelTraits,
): string | undefined {
  const known = readEffort(asked);
  // A word that nobody knows is the provider's to refuse.
  if (known === undefined) return asked;
  const fitted = nearestEffort(traits, known);
  if (fitted === asked) return asked;
  const { effort: _, ...rest } = config;
  if (fitted === undefined && Object.keys(rest).length === 0) adaptation.omit('output_config');
  else adaptation.write('output_config', fitted === undefined ? rest : { ...rest, effort: fitted });
  adaptation.dropped.push(
    fitted === undefined ? 'output_config.effort' : changedTo('output_config.effort', fitted),
  );
  return fitted;
}

function adaptToolChoice(
  adaptation: Adaptation,
  choice: JsonValue | undefined,
  { forcedToolUse }: ModelTraits,
  bytes: (field: string) => Buffer,
): void {
  if (forcedToolUse || !isObject(choice)) return;
  const { type, name: _, ...rest } = choice;
  if (type !== 'any' && type !== 'tool') return;
  adaptation.write('tool_choice', { ...rest, type: 'auto' });
  adaptation.dropped.push(changedTo('tool_choice', 'auto'));
  demand(adaptation, demandTool(choice), bytes('system'));
}

/** Says in the instructions what the choice cannot, behind all that they say. */
function demand(adaptation: Adaptation, sentence: string, system: Buffer): void {
  const block = JSON.stringify({ type: 'text', text: sentence });
  const said = system.toString().trim();
  if (said === '') {
    adaptation.entries.set('tool_choice', `${adaptation.entries.get('tool_choice')},"system":[${block}]`);
    return;
  }
  const before = blocksOf(said);
  if (before === undefined) return;
  adaptation.entries.set('system', `"system":[${before === '' ? '' : `${before},`}${block}]`);
}

/** The blocks of instructions, as they stand; `undefined` for what the provider is to refuse. */
function blocksOf(said: string): string | undefined {
  if (said === 'null' || said === '""') return '';
  if (said.startsWith('"')) return `{"type":"text","text":${said}}`;
  return said.startsWith('[') ? said.slice(1, -1).trim() : undefined;
}
