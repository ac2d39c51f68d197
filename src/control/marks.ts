import { hash } from 'node:crypto';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/**
 * What stands in the place of a credential:
 * `sealed`: its ciphertext, in the store alone; `encrypted`: the same where it is told, a name for the ciphertext;
 * `notStored`: the fingerprint of what only a file has, by which a store tells one from another and nobody else anything.
 */
export type MarkKind = 'sealed' | 'encrypted' | 'notStored';

export function readMark(value: JsonValue | undefined, kind: MarkKind): string | undefined {
  if (!isObject(value)) return undefined;
  const mark = value[kind];
  return typeof mark === 'string' && Object.keys(value).length === 1 ? mark : undefined;
}

/** What may be told of a stored value: ciphertexts by names. What holds none is given back as it is. */
export function hideSealed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) {
    const hidden = value.map(hideSealed);
    return hidden.every((entry, index) => entry === value[index]) ? value : hidden;
  }
  if (!isObject(value)) return value;
  const sealed = readMark(value, 'sealed');
  if (sealed !== undefined) return { encrypted: hash('sha256', sealed, 'hex').slice(0, 16) };
  let copy: JsonObject | undefined;
  for (const [key, entry] of Object.entries(value)) {
    if (entry === undefined) continue;
    const hidden = hideSealed(entry);
    if (hidden === entry) continue;
    copy ??= { ...value };
    copy[key] = hidden;
  }
  return copy ?? value;
}
