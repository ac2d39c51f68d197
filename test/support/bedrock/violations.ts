import type { Refusal } from '../refusal.ts';
import { type Segment, type Shape, type Violation, violationsOf } from '../shape.ts';
import { bedrockError, invalid } from './errors.ts';

/** How AWS's JSON reader names what it found. */
const TOKENS: Record<string, string> = {
  string: 'STRING_VALUE',
  integer: 'NUMBER_VALUE',
  decimal: 'NUMBER_VALUE',
  boolean: 'TRUE_VALUE',
  object: 'START_OBJECT',
  array: 'START_ARRAY',
  null: 'NULL_VALUE',
};

/** Throws the first violation in the words of AWS's services: unknown fields and wrong types, or a broken constraint. */
export function refuseViolations(value: unknown, shape: Shape): void {
  const first = violationsOf(value, shape)[0];
  if (first) throw describeViolation(first);
}

function describeViolation({ path, problem }: Violation): Refusal {
  switch (problem.kind) {
    case 'unknown':
      return bedrockError(
        400,
        'SerializationException',
        `Unexpected field '${path.at(-1)}' at '${writePath(path)}'`,
      );
    case 'type':
      return bedrockError(
        400,
        'SerializationException',
        `${TOKENS[problem.got] ?? problem.got} cannot be converted to ${problem.expected.join(' or ')}`,
      );
    default:
      return invalid(
        `1 validation error detected: Value at '${writePath(path)}' failed to satisfy constraint: ${describeConstraint(problem)}`,
      );
  }
}

function describeConstraint(problem: Exclude<Violation['problem'], { kind: 'unknown' | 'type' }>): string {
  switch (problem.kind) {
    case 'missing':
      return 'Member must not be null';
    case 'value':
    case 'branch':
      return `Member must satisfy enum value set: [${problem.allowed.join(', ')}]`;
    case 'pattern':
      return `Member must satisfy regular expression pattern: ${problem.pattern}`;
    case 'length':
      return `Member must have length ${boundWords(problem.bound)} ${problem.limit}`;
    case 'range':
      return `Member must be ${boundWords(problem.bound)} ${problem.limit}`;
  }
}

function boundWords(bound: 'min' | 'max'): string {
  return bound === 'min' ? 'greater than or equal to' : 'less than or equal to';
}

/** `toolConfig.tools.1.member.toolSpec.name`: members of lists are counted from 1. */
function writePath(path: readonly Segment[]): string {
  return path
    .map((segment) => {
      if (typeof segment === 'number') return `${segment + 1}.member`;
      if (typeof segment === 'string') return segment;
      return 'branch' in segment ? segment.branch : segment.entry;
    })
    .join('.');
}
