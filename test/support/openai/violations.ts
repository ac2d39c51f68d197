import type { Refusal } from '../refusal.ts';
import { type Segment, type Shape, type Violation, violationsOf } from '../shape.ts';
import { badParameter } from './errors.ts';

const TYPE_NAMES: Record<string, string> = {
  array: 'an array',
  object: 'an object',
  string: 'a string',
  integer: 'an integer',
  decimal: 'a decimal',
  boolean: 'a boolean',
  null: 'null',
};

/** Throws the first violation in OpenAI's words. */
export function refuseViolations(value: unknown, shape: Shape): void {
  const first = violationsOf(value, shape)[0];
  if (first) throw describeViolation(first);
}

function describeViolation({ path, problem }: Violation): Refusal {
  const param = writePath(path);
  switch (problem.kind) {
    case 'unknown':
      // The top level has its own words (langchain_dart#712, coroot#698), anything below: `unknown_parameter`.
      return path.length === 1
        ? badParameter(`Unrecognized request argument supplied: ${param}`, null)
        : badParameter(`Unknown parameter: '${param}'.`, param, 'unknown_parameter');
    case 'missing':
      return badParameter(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter');
    case 'type': {
      const names = problem.expected.map((type) => TYPE_NAMES[type] ?? type);
      const expected = names.length === 1 ? names[0] : `one of ${names.join(' or ')}`;
      return badParameter(
        `Invalid type for '${param}': expected ${expected}, but got ${TYPE_NAMES[problem.got]} instead.`,
        param,
        'invalid_type',
      );
    }
    case 'value':
      return unsupportedValue(param, problem);
    case 'branch':
      return unsupportedValue(writePath([...path, problem.field]), problem);
    case 'length':
      return describeLength(param, problem);
    case 'range': {
      const kind = problem.integer ? 'integer' : 'decimal';
      const [side, sign] = problem.bound === 'min' ? ['below minimum', '>='] : ['above maximum', '<='];
      return badParameter(
        `Invalid '${param}': ${kind} ${side} value. Expected a value ${sign} ${problem.limit}, but got ${problem.got} instead.`,
        param,
        `${kind}_${side.replace(' minimum', '_min').replace(' maximum', '_max')}_value`,
      );
    }
    case 'pattern':
      return badParameter(
        `Invalid '${param}': string does not match pattern. Expected a string that matches the pattern '${problem.pattern}'.`,
        param,
        'invalid_value',
      );
  }
}

function unsupportedValue(
  param: string,
  { got, allowed }: { got: string; allowed: readonly string[] },
): Refusal {
  return badParameter(
    `Invalid value: '${got}'. Supported values are: ${listValues(allowed)}.`,
    param,
    'invalid_value',
  );
}

/** `empty_array` (home-assistant/core#118577), `array_above_max_length`, `string_above_max_length` (camel#2215). */
function describeLength(
  param: string,
  { of, bound, limit, got }: Extract<Violation['problem'], { kind: 'length' }>,
): Refusal {
  const article = of === 'array' ? 'an array' : 'a string';
  const empty = of === 'array' ? 'an empty array' : 'an empty string';
  const expected = `Expected ${article} with ${bound === 'min' ? 'minimum' : 'maximum'} length ${limit}`;
  const but = `but got ${got === 0 ? empty : `${article} with length ${got}`} instead.`;
  if (got === 0)
    return badParameter(`Invalid '${param}': empty ${of}. ${expected}, ${but}`, param, `empty_${of}`);
  const [problem, code] = bound === 'max' ? ['too long', 'above_max'] : ['too short', 'below_min'];
  return badParameter(
    `Invalid '${param}': ${of} ${problem}. ${expected}, ${but}`,
    param,
    `${of}_${code}_length`,
  );
}

function listValues(values: readonly string[]): string {
  const quoted = values.map((value) => `'${value}'`);
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')}${quoted.length > 1 ? ',' : ''} and ${last}`;
}

/** `messages[0].content[1].text`; the branches of unions do not show. */
export function writePath(path: readonly Segment[]): string {
  return path
    .map((segment) => {
      if (typeof segment === 'number') return `[${segment}]`;
      if (typeof segment === 'string') return `.${segment}`;
      return 'entry' in segment ? `.${segment.entry}` : '';
    })
    .join('')
    .replace(/^\./, '');
}
