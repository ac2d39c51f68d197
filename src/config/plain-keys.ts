import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { KEY_SECRET, NAME, SECRET_HASH } from './fields.ts';
import type { ParsedConfig } from './schema.ts';

type ParsedKey = ParsedConfig['tenants'][string]['keys'][number];

export interface WithoutPlainKeys {
  /** For the schema. */
  document: JsonValue;
  /** Of tenants all of whose keys are plain: what the schema would make of them. */
  keys: ReadonlyMap<string, ParsedKey[]>;
}

/**
 * Takes keys of the plainest form (a name, and a secret or its hash) out of a document: of a hundred thousand keys nearly all
 * are such, and the schema would take half a second to say that they are right. Anything else is left for it.
 */
export function takePlainKeys(document: JsonValue): WithoutPlainKeys {
  const taken = new Map<string, ParsedKey[]>();
  const tenants = isObject(document) ? document['tenants'] : undefined;
  if (!isObject(document) || !isObject(tenants)) return { document, keys: taken };
  const left: JsonObject = Object.create(null);
  for (const name in tenants) {
    const tenant = tenants[name];
    const keys = isObject(tenant) ? readPlain(tenant['keys']) : undefined;
    if (keys) taken.set(name, keys);
    left[name] = keys && isObject(tenant) ? { ...tenant, keys: [] } : tenant;
  }
  return { document: { ...document, tenants: left }, keys: taken };
}

/** `undefined` where one of them is not plain. */
function readPlain(keys: JsonValue | undefined): ParsedKey[] | undefined {
  if (!Array.isArray(keys) || keys.length === 0) return undefined;
  const read: ParsedKey[] = [];
  for (const key of keys) {
    const plain = isObject(key) ? readPlainKey(key) : undefined;
    if (!plain) return undefined;
    read.push(plain);
  }
  return read;
}

function readPlainKey(key: JsonObject): ParsedKey | undefined {
  for (const field in key)
    if (field !== 'name' && field !== 'secret' && field !== 'secretHash') return undefined;
  const { name, secret, secretHash } = key;
  if (typeof name !== 'string' || !NAME.test(name)) return undefined;
  if (secret === undefined) {
    return typeof secretHash === 'string' && SECRET_HASH.test(secretHash) ? { name, secretHash } : undefined;
  }
  // The schema brands what it finds to be a secret by this pattern.
  const isSecret = secretHash === undefined && typeof secret === 'string' && KEY_SECRET.test(secret);
  return isSecret ? ({ name, secret } as ParsedKey) : undefined;
}
