import { type Schema, type SchemaDraft, validate } from '@cfworker/json-schema';
import { isObject, type JsonValue, tryParseJson } from '../conversation/json.ts';

/** A text that is to be JSON, and the schema that it is to fit, as JSON text too; absent: any is well. */
export interface Structure {
  text: string;
  schema: string | undefined;
  /** It is to be an object, whatever the schema says. */
  isObject: boolean;
}

/**
 * Whether a text is what it is to be. Schemas are walked through, never made code: they are the tenants' own. A walk may still take for
 * ever (a `pattern` that tries every way to match, alternatives within alternatives) or never end (`$ref` to itself): whoever calls this
 * bounds it.
 *
 * @throws where the schema cannot be judged by: it refers to what is not there, or to itself, or is none
 */
export function fitsStructure({ text, schema, isObject: isToBeObject }: Structure): boolean {
  const value = tryParseJson(text);
  if (value === undefined || (isToBeObject && !isObject(value))) return false;
  if (schema === undefined) return true;
  const parsed = JSON.parse(schema) as Schema;
  return validate(value, parsed, draftOf(parsed['$schema'] as JsonValue | undefined)).valid;
}

/** The drafts differ in what stands beside `$ref`, and in what an exclusive bound is. */
const DRAFTS: readonly (readonly [name: string, draft: SchemaDraft])[] = [
  ['draft-04', '4'],
  ['draft-06', '7'],
  ['draft-07', '7'],
  ['2019-09', '2019-09'],
];

function draftOf(named: JsonValue | undefined): SchemaDraft {
  if (typeof named !== 'string') return '2020-12';
  return DRAFTS.find(([name]) => named.includes(name))?.[1] ?? '2020-12';
}
