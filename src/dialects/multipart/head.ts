import { invalidRequest } from '../../conversation/gateway-error.ts';

/** What the head of a part says of it. */
export interface PartHead {
  name: string | undefined;
  /** It is a file, whatever its content. */
  isFile: boolean;
  /** Its content may be in another coding than its bytes (RFC 7578 4.7 has that no more). */
  isEncoded: boolean;
  /** In lower case and without parameters. */
  contentType: string | undefined;
}

const PARAMETER = /;[ \t]*([^\s=;"]+)=("(?:[^"\\]|\\.)*"|[^;\s"]*)/g;
const IDENTITY = /^(?:7bit|8bit|binary)$/i;

/**
 * Reads the header lines of a part (RFC 7578 4.2). What two readers could read differently is refused: the one that checks
 * permissions must see what the provider sees.
 */
export function readPartHead(lines: string): PartHead {
  let disposition: string | undefined;
  let isEncoded = false;
  let contentType: string | undefined;
  for (const line of lines === '' ? [] : lines.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon < 1 || /[\r\n]/.test(line)) throw notMultipart('a part has a header that is none');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'content-disposition') {
      if (disposition !== undefined) throw notMultipart('a part has two dispositions');
      disposition = value;
    } else if (name === 'content-transfer-encoding') isEncoded ||= !IDENTITY.test(value);
    else if (name === 'content-type') contentType = value.split(';', 1)[0]?.trim().toLowerCase();
  }
  const parameters = new Map<string, string>();
  for (const [, key = '', value = ''] of (disposition ?? '').matchAll(PARAMETER)) {
    const name = key.toLowerCase();
    if (parameters.has(name) || name === 'name*') throw notMultipart('the name of a part is not clear');
    parameters.set(name, value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value);
  }
  return {
    name: parameters.get('name'),
    isFile: parameters.has('filename') || parameters.has('filename*'),
    isEncoded,
    contentType,
  };
}

export function notMultipart(why: string): Error {
  return invalidRequest(`The request body is not valid multipart/form-data: ${why}.`);
}
