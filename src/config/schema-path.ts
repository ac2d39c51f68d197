import { z } from 'zod';
import { isSensitive } from './fields.ts';
import type { ConfigPath } from './path.ts';
import { configSchema } from './schema.ts';

/** The keys that the mapping at a path may have; empty where any are allowed or the path is unknown. */
export function knownKeys(path: ConfigPath): string[] {
  return schemasAt(path).flatMap((schema) =>
    schema instanceof z.ZodObject ? Object.keys(schema.shape) : [],
  );
}

/** Whether what stands at a path must never be shown. Unknown places are taken for sensitive. */
export function isSensitivePath(path: ConfigPath): boolean {
  const schemas = schemasAt(path);
  return schemas.length === 0 || schemas.some(isSensitive);
}

/** Whether a value would be right at a path. */
export function accepts(path: ConfigPath, value: unknown): boolean {
  const [schema] = schemasAt(path);
  return schema !== undefined && z.safeParse(schema, value).success;
}

/** Every schema that a value at the path meets: wrappers, both sides of unions, and what they hold. */
function schemasAt(path: ConfigPath): z.core.$ZodType[] {
  let schemas = unwrap(configSchema);
  for (const step of path) schemas = schemas.flatMap((schema) => stepInto(schema, step)).flatMap(unwrap);
  return schemas;
}

function stepInto(schema: z.core.$ZodType, step: string | number): z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) {
    const field: unknown = Object.hasOwn(schema.shape, step) ? schema.shape[step] : undefined;
    return field instanceof z.ZodType ? [field] : [];
  }
  if (schema instanceof z.ZodRecord) return [schema.valueType];
  if (schema instanceof z.ZodArray) return [schema.element];
  return [];
}

/** The schema and all that it wraps. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodUnion) return [schema, ...schema.options.flatMap(unwrap)];
  if (schema instanceof z.ZodPipe) return [schema, ...unwrap(schema.in)];
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return [schema, ...unwrap(schema.def.innerType)];
  }
  return [schema];
}
