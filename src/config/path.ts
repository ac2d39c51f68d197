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
  let selected: Selected[] = [{ path: [], value: root }];
  for (const step of pattern.split(/\.|(?=\[\])/)) {
    selected = selected.flatMap((parent) => childrenOf(parent, step));
  }
  return selected;
}

function childrenOf({ path, value }: Selected, step: string): Selected[] {
  if (step === '[]') {
    return Array.isArray(value)
      ? value.map((entry, index) => ({ path: [...path, index], value: entry }))
      : [];
  }
  if (!isObject(value)) return [];
  if (step === '*')
    return Object.entries(value).map(([key, entry]) => ({ path: [...path, key], value: entry }));
  const entry = child(value, step);
  return entry === undefined ? [] : [{ path: [...path, step], value: entry }];
}
