import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { hasEscapedLetter } from './held-bytes.ts';
import type { HeldReference } from './held-references.ts';

/** However many files the texts of a request name, no more are looked for. */
export const MAX_FILES_IN_TEXTS = 500;

const TEXT_KEY = Buffer.from('"text"');

/**
 * Whether a body may name files in its texts, as some models have it.
 *
 * @param scheme what stands before each id, e.g. `fileid://`
 */
export function mayNameInTexts(body: Buffer, scheme: string): boolean {
  // Of what stands behind the word, slashes may be escaped.
  const [word = ''] = scheme.split(':');
  return hasEscapedLetter(body) || hasTwoTexts(body) || new RegExp(word, 'i').test(body.toString('latin1'));
}

/** Together they may say what none of them does. */
function hasTwoTexts(body: Buffer): boolean {
  const first = body.indexOf(TEXT_KEY);
  return first !== -1 && body.includes(TEXT_KEY, first + TEXT_KEY.length);
}

/**
 * The files that the texts of a request name, at any depth, each once: one more than `MAX_FILES_IN_TEXTS` at most. Texts that stand in a list
 * together are read as one, too. Of no name is what is not written as an id: what it would be read as is not known.
 */
export function findInTexts(request: JsonObject, scheme: string): HeldReference[] {
  const found = new Map<string, HeldReference>();
  const named = new RegExp(`${scheme}\\s*([\\w.-]*)((?:[\\s,;，；、|]+file[-_][\\w.-]*)*)`, 'gi');
  walk(request, '', (text, path) => {
    for (const [, id = '', further = ''] of text.matchAll(named)) {
      for (const one of [id, ...(further.match(FURTHER) ?? [])]) {
        if (!found.has(one)) found.set(one, { kind: 'file', id: one, path });
        if (found.size > MAX_FILES_IN_TEXTS) return false;
      }
    }
    return true;
  });
  return [...found.values()];
}

/** Ids that follow the first without what stands before it. */
const FURTHER = /[\w.-]+/g;

/** Goes on while `read` gives true, and gives whether it did to the end. */
function walk(value: JsonValue, path: string, read: (text: string, path: string) => boolean): boolean {
  if (typeof value === 'string') return read(value, path);
  if (typeof value !== 'object' || value === null) return true;
  const isList = Array.isArray(value);
  if (isList && value.length > 1 && !read(value.map(textOf).join(''), path)) return false;
  for (const [key, inner] of Object.entries(value)) {
    const below = isList ? `${path}[${key}]` : `${path}${path === '' ? '' : '.'}${key}`;
    if (inner !== undefined && !walk(inner, below, read)) return false;
  }
  return true;
}

function textOf(part: JsonValue): string {
  const text = isObject(part) ? part['text'] : part;
  return typeof text === 'string' ? text : '';
}
