import type { JsonObject, JsonValue } from '../conversation/json.ts';
import { hasEscapedLetter } from './held-bytes.ts';
import type { HeldReference } from './held-references.ts';

/**
 * Whether a body may name files in its texts, as some models have it.
 *
 * @param scheme what stands before each id, e.g. `fileid://`
 */
export function mayNameInTexts(body: Buffer, scheme: string): boolean {
  // Of what stands behind the word, slashes may be escaped.
  const [word = ''] = scheme.split(':');
  return hasEscapedLetter(body) || new RegExp(word, 'i').test(body.toString('latin1'));
}

/** The files that the texts of a request name, at any depth; what is not written as an id is found as one of no name. */
export function findInTexts(request: JsonObject, scheme: string): HeldReference[] {
  const found: HeldReference[] = [];
  const ids = new RegExp(`${scheme}\\s*([\\w.-]*)`, 'gi');
  walk(request, '', (text, path) => {
    for (const [, id = ''] of text.matchAll(ids)) found.push({ kind: 'file', id, path });
  });
  return found;
}

function walk(value: JsonValue, path: string, read: (text: string, path: string) => void): void {
  if (typeof value === 'string') {
    read(value, path);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const isList = Array.isArray(value);
  for (const [key, inner] of Object.entries(value)) {
    const below = isList ? `${path}[${key}]` : `${path}${path === '' ? '' : '.'}${key}`;
    if (inner !== undefined) walk(inner, below, read);
  }
}
