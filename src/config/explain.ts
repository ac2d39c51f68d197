import type { z } from 'zod';
import { isObject } from '../conversation/json.ts';
import type { Finding } from './finding.ts';
import { type ConfigPath, formatPath, valueAt } from './path.ts';
import { knownKeys } from './schema-path.ts';
import { suggest } from './suggest.ts';

type Issue = z.core.$ZodIssue;

/** What zod calls the types, and what somebody who writes YAML calls them. */
const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

/** Types of which only the kind of what was found instead is told: a secret may stand in a wrong place. */
const CONTAINERS = new Set(['object', 'record', 'array']);

/**
 * What was expected, for issues of schemas that do not say it themselves. Given to `safeParse`: the schema's own
 * `error` goes before it.
 */
export function expectation(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'invalid_type') return TYPE_WORDS[issue.expected] ?? issue.expected;
  if (issue.code === 'invalid_value') return `one of ${issue.values.map(String).join(', ')}`;
  return 'another value';
}

/** Every issue as a finding; `root` is the value that was parsed. */
export function explainIssues(issues: readonly Issue[], root: unknown): Finding[] {
  return issues.flatMap((issue) => explain(issue, [], root));
}

function explain(issue: Issue, parent: ConfigPath, root: unknown): Finding[] {
  const path: ConfigPath = [
    ...parent,
    ...issue.path.map((step) => (typeof step === 'number' ? step : String(step))),
  ];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey([...path, key]));
    case 'invalid_key':
      return [{ path, at: 'key', message: `expected ${issue.issues[0]?.message ?? 'another key'}` }];
    case 'invalid_union':
      return explainUnion(issue, path, root);
    case 'invalid_type':
      return [
        {
          path,
          message: `expected ${issue.message}`,
          found: CONTAINERS.has(issue.expected) ? 'kind' : 'value',
        },
      ];
    case 'invalid_value':
      return [
        { path, message: `expected ${issue.message}`, found: 'value', candidates: issue.values.map(String) },
      ];
    default: {
      // Where entries do not fit each other, "found a mapping" would say nothing.
      const isContainer = typeof valueAt(root, path) === 'object';
      return [
        { path, message: `expected ${issue.message}`, ...(!isContainer && { found: 'value' as const }) },
      ];
    }
  }
}

function unknownKey(path: ConfigPath): Finding {
  if (!WORD.test(String(path.at(-1)))) {
    const message = 'an unknown key (not shown); is a space missing behind its colon?';
    return { path, at: 'key', hideKey: true, message };
  }
  const known = knownKeys(path.slice(0, -1));
  const meant = suggest(String(path.at(-1)), known);
  if (meant !== undefined) return { path, at: 'key', message: `unknown key; did you mean "${meant}"?` };
  const where = path.length === 1 ? 'at the top' : `in ${formatPath(path.slice(0, -1))}`;
  return { path, at: 'key', message: `unknown key; known ${where}: ${known.join(', ')}` };
}

/** `apiKey:sk-123` in braces, without a space, is a key to YAML: only what can be a slip of the pen is shown. */
const WORD = /^[A-Za-z0-9_-]{1,40}$/;

/** A mapping is explained by the branch that takes mappings; anything else by the union's own words. */
function explainUnion(issue: z.core.$ZodIssueInvalidUnion, path: ConfigPath, root: unknown): Finding[] {
  const branches = issue.errors.filter((branch) => !branch.some(isOtherType));
  const [branch] = branches;
  if (branch !== undefined && branches.length === 1)
    return branch.flatMap((inner) => explain(inner, path, root));
  const found = isObject(valueAt(root, path)) ? 'kind' : 'value';
  return [{ path, message: `expected ${issue.message}`, found }];
}

function isOtherType(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}
