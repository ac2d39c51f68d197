import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { Adaptation, type Bridge, bridgeBody } from '../bridge.ts';
import { changedTo } from '../caller-words.ts';
import { findTopLevelFields } from '../request-fields.ts';
import { WordTable } from '../word-table.ts';
import {
  type ModelTraits,
  modelTraits,
  THINKING_LEVELS,
  type Thinking,
  type ThinkingLevel,
} from './models.ts';
import { BUDGET_OF_EFFORT } from './thinking.ts';

const KNOWN = /(?:^|\/)gem(?:ini|ma)-/;

/** Protocol buffers in JSON: each name is said in one of two ways. */
const CONFIGS = ['generationConfig', 'generation_config'] as const;
const THINKING = ['thinkingConfig', 'thinking_config'] as const;
const PENALTIES = ['presencePenalty', 'presence_penalty', 'frequencyPenalty', 'frequency_penalty'] as const;
const LOGPROBS = ['responseLogprobs', 'response_logprobs', 'logprobs'] as const;
const OUTPUT = ['maxOutputTokens', 'max_output_tokens'] as const;

/** Google's models: thinking by levels and by budgets, penalties, log probabilities. All stands in one object. */
export const bridge: Bridge = {
  fields: CONFIGS,
  adapt: (said, model, bytes) => {
    const adaptation = new Adaptation();
    if (model.names === 'anyone' || !KNOWN.test(model.name.toLowerCase())) return adaptation;
    for (const config of CONFIGS) {
      if (!isObject(said[config])) continue;
      const within = bytes(config);
      const bridged = bridgeBody(WITHIN, within, findTopLevelFields(within, WITHIN_FIELDS), model);
      if (!bridged) continue;
      adaptation.entries.set(config, `${JSON.stringify(config)}:${bridged.body}`);
      for (const name of bridged.dropped) adaptation.dropped.push(`${config}.${name}`);
      for (const [from, to] of Object.entries(bridged.renamed)) {
        adaptation.rename(`${config}.${from}`, `${config}.${to}`);
      }
    }
    return adaptation;
  },
};

const WITHIN: Bridge = {
  fields: [...THINKING, ...PENALTIES, ...LOGPROBS, ...OUTPUT],
  adapt: (said, { name }) => {
    const adaptation = new Adaptation();
    const traits = modelTraits(name);
    if (!traits.penalties) leaveOut(adaptation, said, PENALTIES, (value) => value !== 0);
    if (!traits.logprobs) leaveOut(adaptation, said, LOGPROBS, (value) => value !== false);
    for (const field of OUTPUT) adaptOutput(adaptation, field, said[field], traits);
    for (const field of THINKING) {
      const config = said[field];
      if (isObject(config)) adaptThinking(adaptation, field, config, traits.thinking);
    }
    return adaptation;
  },
};

const WITHIN_FIELDS = new WordTable(WITHIN.fields);

function leaveOut(
  adaptation: Adaptation,
  said: JsonObject,
  fields: readonly string[],
  matters: (value: JsonValue) => boolean,
): void {
  for (const field of fields) {
    const value = said[field];
    if (value !== undefined && value !== null && matters(value)) adaptation.leaveOut(field);
  }
}

function adaptOutput(
  adaptation: Adaptation,
  field: string,
  value: JsonValue | undefined,
  { mostOutputTokens }: ModelTraits,
): void {
  if (typeof value === 'number' && value > mostOutputTokens) adaptation.fit(field, mostOutputTokens);
}

/** How a request says how much is thought; each name is one of two. */
interface Said {
  field: string;
  budgetName: string;
  levelName: string;
  budget: JsonValue | undefined;
  level: JsonValue | undefined;
  /** What else it says of thinking. */
  rest: JsonObject;
}

function adaptThinking(adaptation: Adaptation, field: string, config: JsonObject, thinking: Thinking): void {
  const isCamel = 'thinkingBudget' in config || 'thinkingLevel' in config;
  const budgetName = isCamel ? 'thinkingBudget' : 'thinking_budget';
  const levelName = isCamel ? 'thinkingLevel' : 'thinking_level';
  const { [budgetName]: budget, [levelName]: level, ...rest } = config;
  const said: Said = { field, budgetName, levelName, budget, level, rest };
  if (thinking.by === 'level') adaptLevel(adaptation, said, thinking.levels);
  else if (thinking.by === 'budget') adaptBudget(adaptation, said, thinking);
  else if (budget !== 0 || level !== undefined) adaptation.leaveOut(field);
}

/** Models with levels take a budget, too, but not both at once, and not nothing at all: that is their least. */
function adaptLevel(adaptation: Adaptation, said: Said, levels: readonly ThinkingLevel[]): void {
  const { field, budgetName, levelName, budget, level, rest } = said;
  const isBoth = level !== undefined && budget !== undefined;
  if (isBoth) adaptation.dropped.push(`${field}.${budgetName}`);
  const asked = level === undefined && budget === 0 ? levels[0]?.toUpperCase() : level;
  const fitted = typeof asked === 'string' ? fitLevel(asked, levels) : asked;
  if (fitted !== level && typeof fitted === 'string') {
    adaptation.dropped.push(changedTo(`${field}.${levelName}`, fitted));
  }
  if (isBoth || fitted !== level) adaptation.write(field, { ...rest, [levelName]: fitted });
}

/** The level itself, or the next one that the model has; a word that nobody knows is the provider's to refuse. */
function fitLevel(level: string, levels: readonly ThinkingLevel[]): string {
  const known = THINKING_LEVELS.indexOf(level.toLowerCase() as ThinkingLevel);
  if (known === -1) return level;
  const next = levels.find((one) => THINKING_LEVELS.indexOf(one) >= known) ?? levels.at(-1);
  return next === level.toLowerCase() || next === undefined ? level : next.toUpperCase();
}

function adaptBudget(
  adaptation: Adaptation,
  { field, budgetName, levelName, budget, level, rest }: Said,
  thinking: Extract<Thinking, { by: 'budget' }>,
): void {
  if (typeof level === 'string') {
    const asked = BUDGET_OF_EFFORT[level.toLowerCase()] ?? thinking.max;
    const fitted = fitBudget(asked, thinking);
    adaptation.write(field, { ...rest, [budgetName]: fitted });
    adaptation.rename(`${field}.${levelName}`, changedTo(`${field}.${budgetName}`, fitted));
    return;
  }
  if (typeof budget !== 'number' || budget < 0 || (budget === 0 && thinking.off)) return;
  const fitted = fitBudget(budget, thinking);
  if (fitted === budget) return;
  adaptation.write(field, { ...rest, [budgetName]: fitted });
  adaptation.dropped.push(changedTo(`${field}.${budgetName}`, fitted));
}

function fitBudget(budget: number, { min, max }: { min: number; max: number }): number {
  return Math.min(Math.max(budget, min), max);
}
