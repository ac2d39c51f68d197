/** What several dialects say of binary data. */

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export function isBase64(data: string): boolean {
  return data !== '' && data.length % 4 === 0 && BASE64.test(data);
}

/** Protobuf reads both alphabets, with padding or without. */
export function isProtoBase64(data: string): boolean {
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(data);
}

export function readDataUrl(url: string): { mediaType: string; base64: string } | undefined {
  const match = /^data:([^;,]+)(?:;[^;,]+)*;base64,(.*)$/s.exec(url);
  return match ? { mediaType: match[1] ?? '', base64: match[2] ?? '' } : undefined;
}

/** The first bytes of the image formats that models take. */
const MAGIC: readonly [mediaType: string, bytes: string][] = [
  ['image/png', '89504e47'],
  ['image/jpeg', 'ffd8ff'],
  ['image/gif', '47494638'],
  ['image/webp', '52494646'],
];

/** The media type that the bytes themselves tell; undefined where they tell none. */
export function sniffImage(base64: string): string | undefined {
  const head = Buffer.from(base64.slice(0, 16), 'base64').toString('hex');
  return MAGIC.find(([, bytes]) => head.startsWith(bytes))?.[0];
}

/** How the fake model words a medium: `image image/png 68 bytes`. */
export function describeData(kind: string, mediaType: string, base64: string): string {
  return `${kind} ${mediaType} ${Buffer.from(base64, 'base64').length} bytes`;
}
