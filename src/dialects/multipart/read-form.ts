import { invalidRequest } from '../../conversation/gateway-error.ts';
import { notMultipart, readPartHead } from './head.ts';

/** A field of a form. */
export interface FormPart {
  name: string;
  isFile: boolean;
  /** What it says of itself, in lower case and without parameters. */
  contentType: string | undefined;
  content: Buffer;
}

const MAX_PARTS = 256;
const MAX_HEAD_BYTES = 16 * 1024;

/**
 * Reads a whole multipart/form-data body (RFC 2046 5.1.1, RFC 7578).
 *
 * @throws GatewayError `invalid_request`
 */
export function readForm(body: Buffer, boundary: string): FormPart[] {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  const parts: FormPart[] = [];
  // No line break stands before the first one where nothing else does.
  const first = delimiter.subarray(2);
  const at = body.indexOf(delimiter);
  const startsAtOnce = body.subarray(0, first.length).equals(first);
  if (!startsAtOnce && at === -1) throw notMultipart('its boundary does not stand in it');
  let place = startsAtOnce ? first.length : at + delimiter.length;
  while (body.toString('latin1', place, place + 2) !== '--') {
    if (body.toString('latin1', place, place + 2) !== '\r\n')
      throw notMultipart('its boundary stands within a part');
    if (parts.length === MAX_PARTS) throw notMultipart(`it has more than ${MAX_PARTS} parts`);
    const end = body.indexOf(delimiter, place);
    if (end === -1) throw notMultipart('it ends before its last boundary');
    parts.push(readPart(body.subarray(place, end)));
    place = end + delimiter.length;
  }
  return parts;
}

/** `part`: from the line break before its head on. */
function readPart(part: Buffer): FormPart {
  const headEnd = part.indexOf('\r\n\r\n');
  if (headEnd === -1 || headEnd > MAX_HEAD_BYTES) throw notMultipart('the head of a part has no end');
  const { name, isFile, isEncoded, contentType } = readPartHead(
    part.toString('utf8', 2, Math.max(2, headEnd)),
  );
  if (name === undefined) throw notMultipart('a part has no name');
  if (isEncoded) throw invalidRequest(`'${name}' must be sent without a transfer encoding.`, name);
  return { name, isFile, contentType, content: part.subarray(headEnd + 4) };
}
