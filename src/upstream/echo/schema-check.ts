import { isDeepStrictEqual } from 'node:util';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { asSchema, listOf, ownField, type Schema, type SchemaScope, schemaList } from './schema-scope.ts';

/** Whether a value satisfies the operand of one keyword of a schema. */
type Check = (value: JsonValue, operand: JsonValue, schema: JsonObject, scope: SchemaScope) => boolean;

/**
 * JSON Schema 2020-12 (and draft 7's array form of `items`), as far as it can be decided safely: `pattern`,
 * `patternProperties` and `propertyNames` patterns are not run, because a regular expression from outside can
 * take for ever, and `format` is an annotation. Instances are made to fit those.
 */
const CHECKS: Record<string, Check> = {
  $ref: (value, operand, _schema, scope) => {
    const target = typeof operand === 'string' ? scope.resolve(operand) : true;
    return target !== undefined && conformsTo(value, target, scope);
  },
  allOf: (value, operand, _schema, scope) =>
    schemaList(operand).every((part) => conformsTo(value, part, scope)),
  anyOf: (value, operand, _schema, scope) =>
    schemaList(operand).some((part) => conformsTo(value, part, scope)),
  oneOf: (value, operand, _schema, scope) =>
    schemaList(operand).filter((part) => conformsTo(value, part, scope)).length === 1,
  not: (value, operand, _schema, scope) => !conformsTo(value, asSchema(operand) ?? false, scope),
  if: (value, operand, schema, scope) => {
    const branch = conformsTo(value, asSchema(operand) ?? true, scope) ? schema['then'] : schema['else'];
    return conformsTo(value, asSchema(branch) ?? true, scope);
  },

  type: (value, operand) =>
    (Array.isArray(operand) ? operand : [operand]).some((type) => isOfType(value, type)),
  enum: (value, operand) => listOf(operand).some((item) => isDeepStrictEqual(item, value)),
  const: (value, operand) => isDeepStrictEqual(operand, value),

  minimum: onNumbers((value, bound) => value >= bound),
  maximum: onNumbers((value, bound) => value <= bound),
  exclusiveMinimum: onNumbers((value, bound) => value > bound),
  exclusiveMaximum: onNumbers((value, bound) => value < bound),
  multipleOf: onNumbers((value, step) => Math.abs(value / step - Math.round(value / step)) < 1e-9),

  minLength: onCounts(countCharacters, (count, bound) => count >= bound),
  maxLength: onCounts(countCharacters, (count, bound) => count <= bound),
  minItems: onCounts(countItems, (count, bound) => count >= bound),
  maxItems: onCounts(countItems, (count, bound) => count <= bound),
  minProperties: onCounts(countProperties, (count, bound) => count >= bound),
  maxProperties: onCounts(countProperties, (count, bound) => count <= bound),

  prefixItems: (value, operand, _schema, scope) => conformsInOrder(value, schemaList(operand), scope),
  items: (value, operand, schema, scope) => {
    if (Array.isArray(operand)) return conformsInOrder(value, schemaList(operand), scope);
    const rest = listOf(value).slice(listOf(schema['prefixItems']).length);
    return rest.every((item) => conformsTo(item, asSchema(operand) ?? true, scope));
  },
  additionalItems: (value, operand, schema, scope) => {
    if (!Array.isArray(schema['items'])) return true;
    const rest = listOf(value).slice(schema['items'].length);
    return rest.every((item) => conformsTo(item, asSchema(operand) ?? true, scope));
  },
  uniqueItems: (value, operand, _schema, scope) => {
    if (operand !== true) return true;
    const items = listOf(value);
    scope.spend(items.length ** 2);
    return items.every((item, at) => items.findIndex((other) => isDeepStrictEqual(other, item)) === at);
  },
  contains: (value, operand, schema, scope) => {
    if (!Array.isArray(value)) return true;
    const found = value.filter((item) => conformsTo(item, asSchema(operand) ?? true, scope)).length;
    const { minContains = 1, maxContains = Number.POSITIVE_INFINITY } = schema;
    return found >= Number(minContains) && found <= Number(maxContains);
  },

  required: (value, operand) =>
    !isObject(value) || listOf(operand).every((name) => Object.hasOwn(value, String(name))),
  properties: (value, operand, _schema, scope) => {
    if (!isObject(value)) return true;
    return Object.entries(value).every(([name, member]) =>
      conformsTo(member ?? null, asSchema(ownField(operand, name)) ?? true, scope),
    );
  },
  additionalProperties: (value, operand, schema, scope) => {
    if (!isObject(value) || isObject(schema['patternProperties'])) return true;
    return Object.entries(value)
      .filter(([name]) => ownField(schema['properties'], name) === undefined)
      .every(([, member]) => conformsTo(member ?? null, asSchema(operand) ?? true, scope));
  },
  propertyNames: (value, operand, _schema, scope) =>
    !isObject(value) ||
    Object.keys(value).every((name) => conformsTo(name, asSchema(operand) ?? true, scope)),
  dependentRequired: (value, operand) => {
    if (!isObject(value) || !isObject(operand)) return true;
    return Object.entries(operand)
      .filter(([name]) => Object.hasOwn(value, name))
      .every(([, names]) => listOf(names).every((name) => Object.hasOwn(value, String(name))));
  },
  dependentSchemas: (value, operand, _schema, scope) => {
    if (!isObject(value) || !isObject(operand)) return true;
    return Object.entries(operand)
      .filter(([name]) => Object.hasOwn(value, name))
      .every(([, schema]) => conformsTo(value, asSchema(schema) ?? true, scope));
  },
};

/** Whether a value fits a schema, but for what `CHECKS` says it leaves out. Unknown keywords ask nothing. */
export function conformsTo(value: JsonValue, schema: Schema, scope: SchemaScope): boolean {
  if (typeof schema === 'boolean') return schema;
  return scope.descend(() => {
    for (const [keyword, operand] of Object.entries(schema)) {
      scope.spend(1 + listOf(operand).length);
      const check = Object.hasOwn(CHECKS, keyword) ? CHECKS[keyword] : undefined;
      if (check && operand !== undefined && !check(value, operand, schema, scope)) return false;
    }
    return true;
  });
}

function conformsInOrder(value: JsonValue, schemas: Schema[], scope: SchemaScope): boolean {
  return listOf(value).every((item, index) => conformsTo(item, schemas[index] ?? true, scope));
}

function isOfType(value: JsonValue, type: JsonValue): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function onNumbers(holds: (value: number, bound: number) => boolean): Check {
  return (value, operand) =>
    typeof value !== 'number' || typeof operand !== 'number' || holds(value, operand);
}

function onCounts(
  count: (value: JsonValue) => number | undefined,
  holds: (count: number, bound: number) => boolean,
): Check {
  return (value, operand) => {
    const counted = count(value);
    return counted === undefined || typeof operand !== 'number' || holds(counted, operand);
  };
}

/** In code points, as JSON Schema counts them. */
function countCharacters(value: JsonValue): number | undefined {
  return typeof value === 'string' ? [...value].length : undefined;
}

function countItems(value: JsonValue): number | undefined {
  return Array.isArray(value) ? value.length : undefined;
}

function countProperties(value: JsonValue): number | undefined {
  return isObject(value) ? Object.keys(value).length : undefined;
}
