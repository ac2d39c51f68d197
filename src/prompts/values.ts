import { type OutputUnit, type Schema, Validator } from '@cfworker/json-schema';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/** What is wrong with a value, and where in it. */
export interface Fault {
  /** `items[0].name`; empty for the value itself. */
  path: string;
  message: string;
}

/** Faults of whatever is inside are told there. */
const OUTER: ReadonlySet<string> = new Set([
  ...['properties', 'patternProperties', 'additionalProperties', 'items', 'prefixItems', 'additionalItems'],
  ...['allOf', '$ref', 'dependentSchemas', 'then', 'else', 'if'],
]);

/** Checks values by a JSON schema (2020-12), which is read, not compiled into code. */
export class ValueCheck {
  readonly schema: JsonObject;
  readonly #validator: Validator;

  constructor(schema: JsonObject) {
    this.schema = schema;
    // It notes addresses in what it is given.
    this.#validator = new Validator(structuredClone(schema) as Schema, '2020-12', false);
  }

  faultsOf(value: JsonValue): Fault[] {
    const { valid, errors } = this.#validator.validate(value);
    if (valid) return [];
    const inner = errors.filter(({ keyword }) => !OUTER.has(keyword));
    return (inner.length > 0 ? inner : errors).map(describe);
  }
}

/** As the validator says it. */
const WRONG_TYPE = /^Instance type "(.*)" is invalid\. Expected "(.*)"\.$/;

function describe({ keyword, instanceLocation, error }: OutputUnit): Fault {
  const path = pathOf(instanceLocation);
  const missing = keyword === 'required' ? /"(.*)"/.exec(error)?.[1] : undefined;
  if (missing !== undefined)
    return { path: path === '' ? missing : `${path}.${missing}`, message: 'is missing' };
  if (keyword === 'false') return { path, message: 'is not known here' };
  const choices =
    keyword === 'enum' ? /^Instance does not match any of \[(.*)\]\.$/.exec(error)?.[1] : undefined;
  if (choices !== undefined) return { path, message: `expected one of ${choices.replaceAll('","', '", "')}` };
  const [, found, wanted] = keyword === 'type' ? (WRONG_TYPE.exec(error) ?? []) : [];
  if (wanted !== undefined)
    return { path, message: `expected ${wanted.replaceAll('", "', ' or ')}, found ${found}` };
  return { path, message: error.replace(/\.$/, '') };
}

/** `#/items/0/name` as it is written in code. Source: RFC 6901. */
function pathOf(location: string): string {
  const steps = location.split('/').slice(1);
  return steps
    .map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(
      (path, step) => (/^\d+$/.test(step) ? `${path}[${step}]` : path === '' ? step : `${path}.${step}`),
      '',
    );
}

/** A value with what its schema says of fields that it does not have. */
export function withDefaults(schema: JsonValue | undefined, value: JsonValue): JsonValue {
  if (!isObject(schema)) return value;
  if (Array.isArray(value)) return value.map((item) => withDefaults(schema['items'], item));
  const { properties } = schema;
  if (!isObject(value) || !isObject(properties)) return value;
  const filled: JsonObject = { ...value };
  for (const [name, property] of Object.entries(properties)) {
    const given = filled[name] === undefined && isObject(property) ? property['default'] : filled[name];
    if (given !== undefined) filled[name] = withDefaults(property, given);
  }
  return filled;
}
