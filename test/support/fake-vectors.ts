/**
 * A deterministic embedding: a unit vector that depends on the text and the number of dimensions only. The numbers are
 * exact in 32 bits, so that `float` and `base64` answers are equal.
 */
export function vectorOf(text: string, dimensions: number): number[] {
  const next = numbersFrom(hash(text));
  const raw = Array.from({ length: dimensions }, () => next() - 0.5);
  const length = Math.hypot(...raw);
  return raw.map((value) => Math.fround(value / length));
}

/** Little-endian 32-bit floats in base64, as OpenAI sends them for `encoding_format: "base64"`. */
export function toBase64(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString('base64');
}

/** FNV-1a. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (const byte of Buffer.from(text)) state = Math.imul(state ^ byte, 0x01000193) >>> 0;
  return state;
}

/** A small generator (mulberry32): the quality does not matter, that it is the same everywhere does. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
