import { appendAll } from '../../conversation/append-all.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { asSchema, type Schema, type SchemaScope, schemaList, schemaSize } from './schema-scope.ts';

/** Schemas that must all hold, taken apart. */
export interface SchemaDemand {
  /** Every schema object reached through references and `allOf`; only their own keywords are left to look at. */
  readonly schemas: ReadonlySet<JsonObject>;
  /** Choices not made yet: of each list one schema must hold as well. */
  readonly choices: readonly Schema[][];
}

const NO_DEMAND: SchemaDemand = { schemas: new Set(), choices: [] };

/** Adds schemas to a demand; `undefined` where nothing can satisfy them, or a reference leads nowhere. */
export function addSchemas(
  added: readonly Schema[],
  scope: SchemaScope,
  demand: SchemaDemand = NO_DEMAND,
): SchemaDemand | undefined {
  const schemas = new Set(demand.schemas);
  const choices = [...demand.choices];
  scope.spend(1 + schemas.size + choices.length);
  const queue = [...added];
  // The queue grows while it is walked.
  for (const schema of queue) {
    if (schema === false) return undefined;
    if (schema === true || schemas.has(schema)) continue;
    schemas.add(schema);
    scope.spend(schemaSize(schema));
    if (typeof schema['$ref'] === 'string') {
      const target = scope.resolve(schema['$ref']);
      if (target === undefined) return undefined;
      queue.push(target);
    }
    for (const part of schemaList(schema['allOf'])) queue.push(part);
    appendAll(choices, choicesOf(schema));
  }
  return { schemas, choices };
}

function* choicesOf(schema: JsonObject): Generator<Schema[]> {
  for (const keyword of ['anyOf', 'oneOf']) {
    if (Array.isArray(schema[keyword])) yield schemaList(schema[keyword]);
  }
  const condition = asSchema(schema['if']);
  if (condition !== undefined) {
    yield [
      { allOf: [condition, asSchema(schema['then']) ?? true] },
      { allOf: [{ not: condition }, asSchema(schema['else']) ?? true] },
    ];
  }
}
