import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';

/** We never ask for compressed answers; some servers compress all the same. */
const DECOMPRESSORS = new Map<string, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
  ['zstd', createZstdDecompress],
]);

/** Makes streams that undo a content coding (RFC 9110 8.4); `undefined` for one that is not known. */
export function decompressorOf(contentEncoding: string): (() => Transform) | undefined {
  return DECOMPRESSORS.get(contentEncoding.trim().toLowerCase());
}
