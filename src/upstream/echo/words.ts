/**
 * The echo model's tokens are words: a run of anything but space, with the space after it. Space that a text
 * begins with is a token of its own. The words of a text add up to it.
 */
export function countWords(text: string): number {
  let count = 0;
  let afterSpace = true;
  for (let at = 0; at < text.length; at += 1) {
    const space = isSpace(text.charCodeAt(at));
    // At 0 a token begins in either case.
    if (at === 0 || (afterSpace && !space)) count += 1;
    afterSpace = space;
  }
  return count;
}

/** The first words of a text. */
export function takeWords(text: string, words: number): string {
  if (words <= 0) return '';
  // A word has a character at least.
  if (words >= text.length) return text;
  let count = 0;
  let afterSpace = true;
  for (let at = 0; at < text.length; at += 1) {
    const space = isSpace(text.charCodeAt(at));
    if (at === 0 || (afterSpace && !space)) {
      if (count === words) return text.slice(0, at);
      count += 1;
    }
    afterSpace = space;
  }
  return text;
}

/** A text in the pieces that a stream gives it in: words, and long ones in several. They add up to it. */
export function* splitForStream(text: string): Generator<string> {
  // Whole code points: half of a surrogate pair cannot be sent.
  for (const [piece] of text.matchAll(/\S{1,24}\s*|\s+/gu)) yield piece;
}

function isSpace(code: number): boolean {
  if (code < 0x80) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  return code === 0xa0 || (code >= 0x1680 && /\s/.test(String.fromCharCode(code)));
}
