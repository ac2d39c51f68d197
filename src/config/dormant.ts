import { formatPath, select } from './path.ts';
import type { Config } from './resolve.ts';

/** A field that is parsed but has no effect yet. */
interface DormantField {
  /** As `select` takes it: `*` is any name, `[]` each entry of a list. */
  pattern: string;
}

/**
 * The one list of what the language has and the gateway does not do yet. Whoever brings a field to life takes its
 * row out (and may give it a default in the schema, which a dormant field must not have).
 */
export const DORMANT: readonly DormantField[] = [
  { pattern: 'rollouts.*.prompt' },
  { pattern: 'rollouts.*.gates.judge.prompt' },
];

export interface DormantUse {
  /** The field, with `*` for names: `tenants.*.limits`. */
  field: string;
  /** Where the config uses it. */
  paths: string[];
}

/** The fields that a part of a config uses and that are not in effect yet. `place`: of which part, as patterns begin there. */
export function listDormantIn(value: unknown, place = ''): string[] {
  return DORMANT.filter(({ pattern }) => pattern.startsWith(place)).flatMap(({ pattern }) =>
    select(value, pattern.slice(place.length))
      .filter(({ value }) => value !== undefined && value !== null)
      .map(({ path }) => formatPath(path)),
  );
}

/** The fields that a config uses and that are not in effect yet. */
export function listDormant(config: Config): DormantUse[] {
  return DORMANT.map(({ pattern }) => ({
    field: pattern,
    paths: select(config, pattern)
      .filter(({ value }) => value !== undefined)
      .map(({ path }) => formatPath(path)),
  })).filter((use) => use.paths.length > 0);
}

export const NOT_IN_EFFECT = 'parsed, not in effect yet';

/** One line for the user, however many tenants use the field. */
export function describeDormant({ paths }: DormantUse): string {
  const more = paths.length > 1 ? ` (and ${paths.length - 1} more such)` : '';
  return `${paths[0]}${more}: ${NOT_IN_EFFECT}`;
}
