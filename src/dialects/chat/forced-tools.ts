import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type {
  ChatQuirks,
  FieldOutcome,
  FieldQuirks,
  FieldRule,
  FieldRuleFunction,
  ForcedTools,
  OccasionalRule,
} from './quirks.ts';
import { outcomeOf } from './rule-outcome.ts';

/**
 * The rules of a provider's fields with those for a tool that must be called where its models do not think beside it. What has a
 * model not think is written for this call: thinking is a way to an answer, a call that was demanded is the answer. A caller who asked for thinking is
 * told that it was left out.
 */
export function withForcedTools(fields: FieldQuirks, table: readonly ForcedTools[] | undefined): FieldQuirks {
  if (!table) return fields;
  const narrows = table.some(({ named }) => named === 'alone');
  return {
    ...fields,
    tool_choice: (choice, model) => choose(table, choice, model),
    reasoning_effort: (effort, model, beside) => {
      const isOff = isObject(forcing(table, beside('tool_choice'), model));
      if (isOff) return effort === 'none' ? 'omit' : 'drop';
      return outcomeOf(fields['reasoning_effort'] ?? keep, effort, model, beside);
    },
    ...Object.fromEntries(switchesOf(table).map((name) => [name, switchedOff(table, name, fields[name])])),
    ...(narrows ? { tools: alone(table) } : {}),
  };
}

const keep: FieldRuleFunction = () => 'keep';

/** The provider's own fields that have a model not think: callers may say in them that it is to. */
function switchesOf(table: readonly ForcedTools[]): string[] {
  return [...new Set(table.flatMap(({ any, named }) => [any, named].filter(isObject).flatMap(Object.keys)))];
}

function switchedOff(table: readonly ForcedTools[], name: string, rule: FieldRule = keep): FieldRuleFunction {
  return (said, model, beside) => {
    const outcome = forcing(table, beside('tool_choice'), model);
    const off = isObject(outcome) ? outcome[name] : undefined;
    if (off === undefined) return outcomeOf(rule, said, model, beside);
    if (JSON.stringify(off) === JSON.stringify(said)) return 'keep';
    return { fitted: String(isObject(off) ? off['type'] : off), instead: { [name]: off } };
  };
}

function choose(table: readonly ForcedTools[], choice: JsonValue, model: string): FieldOutcome {
  const outcome = forcing(table, choice, model);
  if (outcome === undefined || outcome === 'keep' || outcome === 'refuse') return outcome ?? 'keep';
  return outcome === 'alone' ? { tool_choice: 'required' } : { tool_choice: choice, ...outcome };
}

/** A choice of one tool where any can be demanded, and none by its name: no other is offered. */
function alone(table: readonly ForcedTools[]): OccasionalRule {
  return {
    isCalledFor: (model, beside) => forcing(table, beside('tool_choice'), model) === 'alone',
    decide: (tools, _model, beside) => offerChosen(tools, beside('tool_choice')),
  };
}

/** The rules of a provider's fields with those for a choice among tools that it does not read, which is said by what is offered. */
export function withUnreadChoice(fields: FieldQuirks, toolChoice: ChatQuirks['toolChoice']): FieldQuirks {
  if (toolChoice !== 'unread') return fields;
  const tools: OccasionalRule = {
    isCalledFor: (_model, beside) => beside('tool_choice') === 'none' || demandsCall(beside('tool_choice')),
    decide: (offered, _model, beside) => {
      const choice = beside('tool_choice');
      return choice === 'none' ? 'omit' : offerChosen(offered, choice);
    },
  };
  return { ...fields, tools, tool_choice: (choice) => (demandsCall(choice) ? 'drop' : 'keep') };
}

/** What becomes of `tools` where a choice of one is said by offering no other. */
function offerChosen(tools: JsonValue, choice: JsonValue | undefined): FieldOutcome {
  const name = nameOf(choice);
  if (name === undefined || !Array.isArray(tools)) return 'keep';
  return { tools: tools.filter((tool) => nameOf(tool) === name) };
}

/** Whether a choice demands the call of a tool: of any, or of one by its name. */
export function demandsCall(choice: JsonValue | undefined): boolean {
  return choice === 'required' || isObject(choice);
}

function nameOf(value: JsonValue | undefined): JsonValue | undefined {
  return isObject(value) && isObject(value['function']) ? value['function']['name'] : undefined;
}

/** What the model takes of a choice that demands a call; `undefined`: it demands none. */
function forcing(
  table: readonly ForcedTools[],
  choice: JsonValue | undefined,
  model: string,
): 'keep' | 'refuse' | 'alone' | JsonObject | undefined {
  const row = table.find(({ models }) => models?.test(model) !== false);
  if (isObject(choice)) return row?.named;
  return choice === 'required' ? row?.any : undefined;
}
