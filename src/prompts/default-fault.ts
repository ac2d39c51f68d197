import type { JsonObject } from '../conversation/json.ts';
import { partsOf } from './schema-parts.ts';
import type { ValueCheck } from './values.ts';
import { withDefaults } from './with-defaults.ts';

/** A default that the input's own schema does not take, so that whoever leaves the field out is refused. */
export interface DefaultFault {
  name: string;
  /** It has no subject: `expected integer, found string`. */
  message: string;
}

/** What may take of one field what it does not take beside another one: whether a default fits depends on what callers send. */
const CHOICES: readonly string[] = ['anyOf', 'oneOf', 'not', 'if', 'dependentSchemas'];

/** The first default that does not fit. `defaults`: those of the file; its schema may have others. */
export function findDefaultFault(check: ValueCheck, defaults: JsonObject): DefaultFault | undefined {
  const { schema } = check;
  if ([...partsOf(schema, schema)].some((part) => CHOICES.some((keyword) => part[keyword] !== undefined)))
    return undefined;
  const filled = withDefaults(schema, defaults) as JsonObject;
  const names = Object.keys(filled);
  if (names.length === 0) return undefined;
  // What is missing is for callers to send.
  for (const { path, message } of check.faultsOf(filled)) {
    const name = names.find(
      (one) => path === one || path.startsWith(`${one}.`) || path.startsWith(`${one}[`),
    );
    if (name === undefined) continue;
    const within = path.slice(name.length).replace(/^\./, '');
    return { name, message: within === '' ? message : `'${within}' ${message}` };
  }
  return undefined;
}
