import { z } from 'zod';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { EXPORT_FORMATS } from '../../usage/export.ts';
import { FORMATS } from '../exports.ts';
import type { AdminDoor } from './admin-door.ts';

/**
 * The admin API as OpenAPI 3.1, made of its doors.
 *
 * @param others what is described beside them, by its path
 */
export function describeDoors(
  doors: readonly AdminDoor[],
  prefix: string,
  others: Record<string, JsonObject> = {},
): JsonObject {
  const paths: Record<string, JsonObject> = { ...others };
  for (const row of doors) {
    const path = prefix + row.path.replace(/:(\w+)/g, '{$1}');
    const operations = paths[path] ?? {};
    operations[row.method.toLowerCase()] = describeDoor(row);
    paths[path] = operations;
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Fairlead', version: '1' },
    paths,
    components: {
      securitySchemes: {
        adminKey: { type: 'http', scheme: 'bearer', description: 'An admin key.' },
        tenantKey: { type: 'http', scheme: 'bearer', description: 'A key of a tenant.' },
      },
      schemas: { Error: ERROR },
    },
    security: [{ adminKey: [] }],
  };
}

const ERROR: JsonObject = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'], description: 'The path of what is wrong.' },
        code: { type: ['string', 'null'] },
        faults: {
          type: 'array',
          description: 'Each fault of an input or an output of a prompt.',
          items: {
            type: 'object',
            properties: { path: { type: 'string' }, message: { type: 'string' } },
            required: ['path', 'message'],
          },
        },
      },
    },
  },
};

const FORMAT: JsonObject = {
  name: 'format',
  in: 'query',
  description: 'What to write the answer in; where absent what `Accept` says, else JSON.',
  schema: { type: 'string', enum: [...FORMATS] },
};

const REVISION: JsonObject = {
  description: 'Of a change of the configuration: the revision in force after it.',
  schema: { type: 'integer' },
};

const EXPORTED: JsonObject = Object.fromEntries(
  Object.values(EXPORT_FORMATS).map(({ contentType }) => [
    contentType.split(';', 1)[0] ?? contentType,
    { schema: { type: 'string' } },
  ]),
);

function isBodyRequired({ needsBody }: AdminDoor, { required }: JsonObject): boolean {
  return needsBody === true || (Array.isArray(required) && required.length > 0);
}

function describeDoor(row: AdminDoor): JsonObject {
  const names = [...row.path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? '');
  const body = row.bodySchema?.() ?? (row.body && toSchema(row.body));
  return {
    summary: row.summary,
    description: `Needs the role '${row.role}'.`,
    parameters: [
      ...names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...(row.query ? describeQuery(toSchema(row.query)) : []),
      ...(row.exports ? [FORMAT] : []),
    ],
    ...(body && {
      requestBody: { required: isBodyRequired(row, body), content: { 'application/json': { schema: body } } },
    }),
    responses: {
      [String(row.status ?? 200)]: {
        description: 'Done.',
        ...(row.method !== 'GET' && { headers: { 'x-fairlead-revision': REVISION } }),
        content: {
          'application/json': { schema: row.answerSchema?.() ?? { type: 'object' } },
          ...(row.exports && EXPORTED),
        },
      },
      default: {
        description: 'What is wrong, and where.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function describeQuery(schema: JsonObject): JsonObject[] {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: 'query',
    schema: property ?? {},
  }));
}

/** A zod schema as the JSON Schema of what it takes. */
export function toSchema(schema: z.ZodType): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest as JsonObject;
}

/** The answer of a list that comes in pages. */
export function listSchema(entry: JsonObject): JsonObject {
  return objectSchema({ data: { type: 'array', items: entry }, nextCursor: { type: ['string', 'null'] } });
}

/** An object that has all of these fields. */
export function objectSchema(properties: JsonObject): JsonObject {
  return { type: 'object', properties, required: Object.keys(properties) };
}

/** What changes an object: each field may be left out, and `null` takes one away. */
export function patchSchema({ required: _required, properties, ...schema }: JsonObject): JsonObject {
  const fields = Object.entries(isObject(properties) ? properties : {}).map(([name, field]) => [
    name,
    { anyOf: [field ?? {}, { type: 'null' }] },
  ]);
  return { ...schema, properties: Object.fromEntries(fields) };
}

export const OWNER: JsonObject = {
  type: 'string',
  enum: ['file', 'api'],
  description: 'Who declares it, and may change it.',
};
