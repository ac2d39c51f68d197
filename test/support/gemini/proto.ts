import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import type { Refusal } from '../refusal.ts';
import { type Fields, type Segment, type Shape, type Violation, violationsOf } from '../shape.ts';
import { invalidArgument } from './errors.ts';

/**
 * The Gemini API reads JSON as protobuf does (protobuf guide, "ProtoJSON format"): a field has a camelCase and a
 * snake_case name, `null` means absent, a single value may stand for a list of one (recorded), and a name that the
 * message does not have is an error. Errors name fields in snake_case.
 */

/** Renames the fields that the shape knows to camelCase and leaves out those that are `null`. */
export function normaliseProto(value: JsonValue, shape: Shape): JsonValue {
  switch (shape.kind) {
    case 'lazy':
      return normaliseProto(value, shape.of());
    case 'object':
      return isObject(value) ? normaliseFields(value, { ...shape.required, ...shape.optional }) : value;
    case 'map':
      return isObject(value)
        ? Object.fromEntries(
            Object.entries(value).map(([key, item]) => [
              key,
              item === undefined ? item : normaliseProto(item, shape.of),
            ]),
          )
        : value;
    case 'array':
      if (Array.isArray(value)) return value.map((item) => normaliseProto(item, shape.of));
      return isObject(value) ? [normaliseProto(value, shape.of)] : value;
    default:
      return value;
  }
}

function normaliseFields(value: JsonObject, fields: Fields): JsonObject {
  const entries: [string, JsonValue][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (item === null || item === undefined) continue;
    const camel = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const name = Object.hasOwn(fields, camel) ? camel : key;
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    entries.push([name, field ? normaliseProto(item, field) : item]);
  }
  return Object.fromEntries(entries);
}

/** Throws all violations at once, as the real parser reports them. */
export function refuseViolations(value: unknown, shape: Shape): void {
  const violations = violationsOf(value, shape);
  if (violations.length > 0) throw describeViolations(violations);
}

function describeViolations(violations: readonly Violation[]): Refusal {
  const fieldViolations = violations.map((violation) => ({
    field: writePath(violation.problem.kind === 'unknown' ? violation.path.slice(0, -1) : violation.path),
    description: describeViolation(violation),
  }));
  return invalidArgument(fieldViolations.map(({ description }) => description).join('\n'), [
    { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations },
  ]);
}

/** zed#44875 (unknown names), zed#53919 (a list for a single value), azure-devops-mcp#145 (wrong scalar). */
function describeViolation({ path, problem }: Violation): string {
  const at = writePath(path);
  const name = String(path.at(-1));
  const parent = writePath(path.slice(0, -1));
  const where = parent === '' ? '' : ` at '${parent}'`;
  switch (problem.kind) {
    case 'unknown':
      return `Invalid JSON payload received. Unknown name "${name}"${where}: Cannot find field.`;
    case 'missing':
      return `* GenerateContentRequest.${at}: missing field.`;
    case 'type':
      if (problem.got === 'array') {
        return `Invalid JSON payload received. Unknown name "${name}"${where}: Proto field is not repeating, cannot start list.`;
      }
      return `Invalid value at '${at}' (${protoType(problem.expected)})`;
    case 'value':
    case 'branch':
      return `Invalid value at '${at}' (TYPE_ENUM), "${problem.got}"`;
    case 'length':
    case 'range': {
      const bound = problem.bound === 'min' ? 'at least' : 'at most';
      return `* GenerateContentRequest.${at}: must be ${bound} ${problem.limit}, got ${problem.got}`;
    }
    case 'pattern':
      return `* GenerateContentRequest.${at}: must match ${problem.pattern}`;
  }
}

const PROTO_TYPES: Record<string, string> = {
  string: 'TYPE_STRING',
  integer: 'TYPE_INT32',
  decimal: 'TYPE_FLOAT',
  boolean: 'TYPE_BOOL',
};

function protoType(expected: readonly string[]): string {
  return PROTO_TYPES[expected[0] ?? ''] ?? 'TYPE_MESSAGE';
}

/** `tools[0].function_declarations[1].parameters.properties[0].value`: entries of a map are counted. */
function writePath(path: readonly Segment[]): string {
  return path
    .map((segment) => {
      if (typeof segment === 'number') return `[${segment}]`;
      if (typeof segment === 'string') return `.${snakeCase(segment)}`;
      return 'entry' in segment ? `[${segment.index}].value` : '';
    })
    .join('')
    .replace(/^\./, '');
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
