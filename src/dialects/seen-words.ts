/** Words that mean something wherever in a request they stand, as a key or as a value. */
export const WORDS = [
  'audio',
  'custom',
  'id',
  'item_reference',
  'model',
  'models',
  'allowed_models',
  'url',
] as const;
export type SoughtWord = (typeof WORDS)[number];

const LONGEST = WORDS.reduce((length, word) => Math.max(length, word.length), 0);

interface Sought {
  bytes: Buffer;
  flag: number;
}

/** By length and first byte, which no two of the words have alike: of nearly all texts that is all that is looked at. */
const BY_BEGINNING = new Uint8Array((LONGEST + 1) << 8);
const SOUGHT: readonly Sought[] = WORDS.map((word, index) => ({
  bytes: Buffer.from(word),
  flag: 1 << index,
}));
for (const [index, { bytes }] of SOUGHT.entries()) {
  const beginning = (bytes.length << 8) | (bytes[0] ?? 0);
  if (BY_BEGINNING[beginning] !== 0) throw new Error('two words begin alike and are as long');
  BY_BEGINNING[beginning] = index + 1;
}

/**
 * Which of some words were seen as whole texts below the top of a JSON body. The scan at admission shows it each text:
 * to search the body for each of them would cost as much as the scan, for the quote that they begin with is everywhere.
 */
export class SeenWords {
  #flags = 0;

  /** `quote`, `end`: where a text begins, with its quote, and where it has ended. */
  look(body: Buffer, quote: number, end: number): void {
    const length = end - quote - 2;
    if (length > LONGEST) return;
    const place = BY_BEGINNING[(length << 8) | (body[quote + 1] ?? 0)] ?? 0;
    if (place === 0) return;
    const sought = SOUGHT[place - 1];
    if (sought && body.compare(sought.bytes, 0, length, quote + 1, end - 1) === 0) this.#flags |= sought.flag;
  }

  has(word: SoughtWord): boolean {
    return (this.#flags & (1 << WORDS.indexOf(word))) !== 0;
  }
}
