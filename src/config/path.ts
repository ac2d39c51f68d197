import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

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
  visit(root, pattern, (value, path) => selected.push({ path: [...path], value }));
  return selected;
}

type Visit = (value: unknown, path: ConfigPath) => void;

/** The same without a copy for each, for there may be a hundred thousand keys: a path is to be read at once, and then another one. */
export function visit(root: unknown, pattern: string, visitor: Visit): void {
  collect(root, stepsOf(pattern), 0, [], visitor);
}

/**
 * A copy where a child became another; the very same value where none did.
 *
 * @param path leads to the value, and while a child is mapped to the child: whoever keeps it copies it
 */
export function mapChildren(
  value: JsonValue,
  path: (string | number)[],
  map: (child: JsonValue, path: (string | number)[]) => JsonValue,
): JsonValue {
  if (Array.isArray(value)) {
    let copy: JsonValue[] | undefined;
    for (let index = 0; index < value.length; index++) {
      const entry = value[index];
      if (entry === undefined) continue;
      path.push(index);
      const mapped = map(entry, path);
      path.pop();
      if (mapped === entry) continue;
      copy ??= [...value];
      copy[index] = mapped;
    }
    return copy ?? value;
  }
  if (!isObject(value)) return value;
  let copy: JsonObject | undefined;
  for (const key in value) {
    const entry = value[key];
    if (entry === undefined) continue;
    path.push(key);
    const mapped = map(entry, path);
    path.pop();
    if (mapped === entry) continue;
    copy ??= { ...value };
    copy[key] = mapped;
  }
  return copy ?? value;
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

/** `path` leads to `value`. */
function collect(
  value: unknown,
  steps: readonly string[],
  at: number,
  path: (string | number)[],
  visitor: Visit,
): void {
  const step = steps[at];
  if (step === undefined) {
    visitor(value, path);
    return;
  }
  if (step === '[]') {
    if (!Array.isArray(value)) return;
    for (let index = 0; index < value.length; index++) descend(value[index], index, steps, at, path, visitor);
  } else if (isObject(value)) {
    if (step !== '*') {
      const entry = child(value, step);
      if (entry !== undefined) descend(entry, step, steps, at, path, visitor);
      return;
    }
    for (const key of Object.keys(value)) descend(value[key], key, steps, at, path, visitor);
  }
}

function descend(
  entry: unknown,
  key: string | number,
  steps: readonly string[],
  at: number,
  path: (string | number)[],
  visitor: Visit,
): void {
  path.push(key);
  collect(entry, steps, at + 1, path, visitor);
  path.pop();
}
