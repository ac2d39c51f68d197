import { isObject } from '../conversation/json.ts';

/** Where a value sits in the config: keys of mappings and positions in lists. */
export type ConfigPath = readonly (string | number)[];

const PLAIN_KEY = /^[A-Za-z0-9_-]+$/;

/** The path as errors show it: `models.smart.targets[0]`, `prices["openai/gpt-5*"].input`. */
export function formatPath(path: ConfigPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!PLAIN_KEY.test(step)) text += `[${JSON.stringify(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

/** What is there; `undefined` where the path leads nowhere. Own properties only. */
export function valueAt(root: unknown, path: ConfigPath): unknown {
  let value = root;
  for (const step of path) value = child(value, step);
  return value;
}

function child(value: unknown, step: string | number): unknown {
  if (Array.isArray(value)) return typeof step === 'number' ? value[step] : undefined;
  if (isObject(value) && Object.hasOwn(value, step)) return value[step];
  return undefined;
}

export interface Selected {
  path: ConfigPath;
  value: unknown;
}

/**
 * All that a pattern names, in order: `models.*.targets[]` gives each target of each model. `*` is any key of a
 * mapping, `[]` each entry of a list. What is not there, or has another shape, is left out: the schema reports that.
 */
export function select(root: unknown, pattern: string): Selected[] {
  const selected: Selected[] = [];
  collect(root, stepsOf(pattern), 0, [], selected);
  return selected;
}

const STEPS = new Map<string, string[]>();

/** Patterns are written in our own sources: there are few. */
function stepsOf(pattern: string): string[] {
  let steps = STEPS.get(pattern);
  if (!steps) {
    steps = pattern.split(/\.|(?=\[\])/);
    STEPS.set(pattern, steps);
  }
  return steps;
}

/** `path` leads to `value`; it is copied only for what is selected, for a config may have a hundred thousand keys. */
function collect(
  value: unknown,
  steps: readonly string[],
  at: number,
  path: (string | number)[],
  selected: Selected[],
): void {
  const step = steps[at];
  if (step === undefined) {
    selected.push({ path: [...path], value });
    return;
  }
  if (step === '[]') {
    if (!Array.isArray(value)) return;
    for (const [index, entry] of value.entries()) descend(entry, index, steps, at, path, selected);
  } else if (isObject(value)) {
    if (step !== '*') {
      const entry = child(value, step);
      if (entry !== undefined) descend(entry, step, steps, at, path, selected);
      return;
    }
    for (const key of Object.keys(value)) descend(value[key], key, steps, at, path, selected);
  }
}

function descend(
  entry: unknown,
  key: string | number,
  steps: readonly string[],
  at: number,
  path: (string | number)[],
  selected: Selected[],
): void {
  path.push(key);
  collect(entry, steps, at + 1, path, selected);
  path.pop();
}
