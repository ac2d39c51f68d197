/**
 * Media inside a URL: `data:[<media type>][;parameters][;base64],<data>` (RFC 2397).
 * Parameters of the media type are left out: no provider takes them.
 */
export interface DataUrl {
  mediaType: string;
  base64: string;
}

const SCHEME = 'data:';

export function isDataUrl(url: string): boolean {
  return url.slice(0, SCHEME.length).toLowerCase() === SCHEME;
}

/** `undefined` where the text is no well-formed data URL. */
export function parseDataUrl(url: string): DataUrl | undefined {
  const comma = url.indexOf(',');
  if (!isDataUrl(url) || comma === -1) return undefined;
  const [mediaType = '', ...parameters] = url.slice(SCHEME.length, comma).split(';');
  const data = url.slice(comma + 1);
  const isBase64 = parameters.at(-1)?.trim().toLowerCase() === 'base64';
  const base64 = isBase64 ? data : percentDecodedBase64(data);
  return base64 === undefined ? undefined : { mediaType: mediaType || 'text/plain', base64 };
}

export function writeDataUrl({ mediaType, base64 }: DataUrl): string {
  return `${SCHEME}${mediaType};base64,${base64}`;
}

function percentDecodedBase64(data: string): string | undefined {
  try {
    return Buffer.from(decodeURIComponent(data), 'utf8').toString('base64');
  } catch (error) {
    // `%` not followed by two hexadecimal digits, or bytes that are no UTF-8.
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
