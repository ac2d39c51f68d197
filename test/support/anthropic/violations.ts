import type { Refusal } from '../refusal.ts';
import { type Segment, type Shape, type Violation, violationsOf } from '../shape.ts';
import { invalid } from './errors.ts';

const TYPE_NAMES: Record<string, string> = {
  array: 'a valid list',
  object: 'a valid dictionary',
  string: 'a valid string',
  integer: 'a valid integer',
  decimal: 'a valid number',
  boolean: 'a valid boolean',
};

/** Throws the first violation in Anthropic's (pydantic's) words. */
export function refuseViolations(value: unknown, shape: Shape): void {
  const first = violationsOf(value, shape)[0];
  if (first) throw describeViolation(first);
}

function describeViolation({ path, problem }: Violation): Refusal {
  return invalid(`${writePath(path)}: ${describeProblem(problem)}`);
}

function describeProblem(problem: Violation['problem']): string {
  switch (problem.kind) {
    case 'unknown':
      // anthropics/claude-code#4378, #14135, #31033
      return 'Extra inputs are not permitted';
    case 'missing':
      return 'Field required';
    case 'type': {
      const expected = problem.expected.includes('array') ? 'array' : problem.expected[0];
      return `Input should be ${TYPE_NAMES[expected ?? ''] ?? 'valid'}`;
    }
    case 'value':
      return `Input should be ${listValues(problem.allowed)}`;
    case 'branch':
      // Recorded from the token counting endpoint.
      return `Input tag '${problem.got}' found using '${problem.field}' does not match any of the expected tags: ${problem.allowed.map((tag) => `'${tag}'`).join(', ')}`;
    case 'length': {
      const [what, unit] = problem.of === 'array' ? ['List', 'item'] : ['String', 'character'];
      const bound = problem.bound === 'min' ? 'at least' : 'at most';
      const plural = problem.limit === 1 ? unit : `${unit}s`;
      const after = problem.of === 'array' ? ` after validation, not ${problem.got}` : '';
      return `${what} should have ${bound} ${problem.limit} ${plural}${after}`;
    }
    case 'range':
      return `Input should be ${problem.bound === 'min' ? 'greater' : 'less'} than or equal to ${problem.limit}`;
    case 'pattern':
      return `String should match pattern '${problem.pattern}'`;
  }
}

function listValues(values: readonly string[]): string {
  const quoted = values.map((value) => `'${value}'`);
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
}

/** `messages.0.content.1.image.source.base64.media_type`: the branches of unions are steps of the path. */
export function writePath(path: readonly Segment[]): string {
  return path
    .map((segment) => {
      if (typeof segment !== 'object') return String(segment);
      return 'branch' in segment ? segment.branch : segment.entry;
    })
    .join('.');
}
