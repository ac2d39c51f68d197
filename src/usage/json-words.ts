/** Text of JSON, put together by hand where every call writes some: the same as `JSON.stringify` gives. */

/** Names come from callers, too: no more of them are remembered, and no longer ones. */
const MAX_REMEMBERED = 1_000;
const MAX_REMEMBERED_LENGTH = 200;

const remembered = new Map<string, string>();

/** A name (of a tenant, a model, a target): there are few, and each comes with many calls. */
export function quoteName(name: string | null): string {
  if (name === null) return 'null';
  const known = remembered.get(name);
  if (known !== undefined) return known;
  const quoted = JSON.stringify(name);
  if (name.length > MAX_REMEMBERED_LENGTH) return quoted;
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(name, quoted);
  return quoted;
}

const PLAIN = /^[ !#-[\]-~]*$/;

/** A text that comes once. */
export function quoteText(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

export function writeNumber(value: number | null): string {
  return Number.isFinite(value) ? `${value}` : 'null';
}
