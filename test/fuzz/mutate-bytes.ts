import type { Random } from './random.ts';

const ODD_BYTES: readonly Buffer[] = [
  Buffer.from([0]),
  Buffer.from([0xff, 0xfe]),
  Buffer.from([0xc3]),
  Buffer.from([0xed, 0xa0, 0x80]),
  Buffer.from('\r\n\r\n'),
  Buffer.from('\n\n'),
  Buffer.from('data: '),
  Buffer.from('data:{"error":{}}\n\n'),
  Buffer.from('event: error\n'),
  Buffer.from('\u2028'),
  Buffer.from('"'),
  Buffer.from('\\'),
  Buffer.from('{'),
  Buffer.from(']'),
];

type Change = (random: Random, bytes: Buffer) => Buffer;

const CHANGES: readonly Change[] = [
  function flip(random, bytes) {
    const copy = Buffer.from(bytes);
    for (let times = 0; times <= random.below(4) && copy.length > 0; times++) {
      const at = random.below(copy.length);
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
    }
    return copy;
  },
  (random, bytes) => bytes.subarray(0, random.below(bytes.length + 1)),
  (random, bytes) => bytes.subarray(random.below(Math.min(bytes.length, 30) + 1)),
  function takeOut(random, bytes) {
    const at = random.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(40))]);
  },
  function putIn(random, bytes) {
    const at = random.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), random.pick(ODD_BYTES), bytes.subarray(at)]);
  },
  function splice(random, bytes) {
    const [from, to] = [random.below(bytes.length + 1), random.below(bytes.length + 1)];
    const piece = bytes.subarray(from, from + random.below(300));
    return Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)]);
  },
];

/** The same bytes with one to three changes. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  let changed = bytes;
  for (let change = 0; change <= random.below(3); change++) changed = random.pick(CHANGES)(random, changed);
  return changed;
}

/** Bytes in pieces, cut anywhere. */
export function cutAnywhere(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  const size = random.pick([1, 3, 17, 200, 5_000]);
  // So that long answers are not sent byte by byte.
  const least = Math.ceil(bytes.length / 60);
  for (let at = 0; at < bytes.length; ) {
    const length = Math.max(least, 1 + random.below(size));
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}
