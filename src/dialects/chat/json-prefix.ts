const SPACE = new Set([' ', '\t', '\n', '\r']);

/** What may stand in a number, `true`, `false` and `null`: more than JSON has, for it only tells that no string or list is meant. */
const BARE = /[-+.\w]/;

/** What may come next outside strings. `first`: behind an opening bracket, where nothing at all may come. */
type Wanted = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'more';

/** Whether a text could be the beginning of one JSON value: whether strings, lists and objects stand where they may. */
export function isJsonPrefix(text: string): boolean {
  const open: ('{' | '[')[] = [];
  let wanted = 'value' as Wanted;
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    if (SPACE.has(char)) {
      at++;
    } else if (char === '"') {
      if (wanted === 'colon' || wanted === 'more') return false;
      at = endOfString(text, at);
      wanted = wanted === 'key' || wanted === 'first key' ? 'colon' : 'more';
    } else if (char === '{' || char === '[') {
      if (wanted !== 'value' && wanted !== 'first value') return false;
      open.push(char);
      wanted = char === '{' ? 'first key' : 'first value';
      at++;
    } else if (char === '}' || char === ']') {
      const empty = char === '}' ? 'first key' : 'first value';
      if (open.pop() !== (char === '}' ? '{' : '[') || (wanted !== 'more' && wanted !== empty)) return false;
      wanted = 'more';
      at++;
    } else if (char === ':') {
      if (wanted !== 'colon') return false;
      wanted = 'value';
      at++;
    } else if (char === ',') {
      const within = open.at(-1);
      if (wanted !== 'more' || within === undefined) return false;
      wanted = within === '{' ? 'key' : 'value';
      at++;
    } else {
      if ((wanted !== 'value' && wanted !== 'first value') || !BARE.test(char)) return false;
      while (at < text.length && BARE.test(text.charAt(at))) at++;
      wanted = 'more';
    }
  }
  return true;
}

/** Behind the closing quote of the string that begins here, or behind the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\') at++;
    else if (char === '"') return at + 1;
  }
  return text.length;
}
