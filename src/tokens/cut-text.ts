/**
 * How text is cut so that counting it takes time in proportion to its length. Byte-pair merging takes time with the
 * square of a piece, and the encodings' patterns make one piece of any run of letters, of white space or of signs.
 */

/** Longest run, in code points, that stays whole. A cut within a run moves the count by a token or so. */
const LONGEST_RUN = 256;

/** Runs of one kind, as the patterns of `cl100k_base` and `o200k_base` tell kinds apart. Digits go by threes anyway. */
const RUNS = /[\p{L}\p{M}]+|\s+|[^\s\p{L}\p{N}\p{M}]+/gu;

/** The text in pieces, joined the same text, none with a run longer than `LONGEST_RUN`. No piece splits a character. */
export function cutLongRuns(text: string): string[] {
  if (text.length <= LONGEST_RUN) return [text];
  const pieces: string[] = [];
  let from = 0;
  for (const { 0: run, index } of text.matchAll(RUNS)) {
    if (run.length <= LONGEST_RUN) continue;
    for (let at = wholeCharacters(run, LONGEST_RUN); at < run.length; ) {
      pieces.push(text.slice(from, index + at));
      from = index + at;
      at = wholeCharacters(run, at + LONGEST_RUN);
    }
  }
  pieces.push(text.slice(from));
  return pieces;
}

/**
 * The text in slices of at most `limit` UTF-16 units, joined the same text. Cut, where there is a place, before a single
 * space between two words: both encodings begin a piece there whatever stands before, so the sum of counts is exact.
 */
export function sliceText(text: string, limit: number): string[] {
  const slices: string[] = [];
  let from = 0;
  while (text.length - from > limit) {
    const to = wordBoundary(text, from, from + limit) ?? wholeCharacters(text, from + limit);
    slices.push(text.slice(from, to));
    from = to;
  }
  slices.push(text.slice(from));
  return slices;
}

/** How far back from the end of a slice a boundary is looked for. */
const LOOK_BACK = 1024;

function wordBoundary(text: string, from: number, to: number): number | undefined {
  const oldest = Math.max(from, to - LOOK_BACK);
  for (let at = text.lastIndexOf(' ', to); at > oldest; at = text.lastIndexOf(' ', at - 1)) {
    if (/^\S \S/.test(text.slice(at - 1, at + 2))) return at;
  }
  return undefined;
}

/** The place itself, or the one before where it would split a surrogate pair. */
function wholeCharacters(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  const before = text.charCodeAt(at - 1);
  const splits = unit >= 0xdc00 && unit <= 0xdfff && before >= 0xd800 && before <= 0xdbff;
  return splits ? at - 1 : at;
}
