import type { IncomingCall } from '../fake-provider.ts';
import { badParameter } from './errors.ts';

export interface FormPart {
  name: string;
  filename: string | undefined;
  content: Buffer;
}

/** A multipart body, read as strictly as RFC 2046 and 7578 are written. */
export function readForm({ headers, rawBody }: IncomingCall): FormPart[] {
  const boundary = /^multipart\/form-data; *boundary="?([^";]+)"?$/.exec(headers['content-type'] ?? '')?.[1];
  if (boundary === undefined) throw badParameter('expected a multipart form', null);
  const text = rawBody.toString('latin1');
  const pieces = `\r\n${text}`.split(`\r\n--${boundary}`);
  const last = pieces.pop();
  if (pieces.shift() !== '' || !last?.startsWith('--')) throw badParameter('the form is cut off', null);
  return pieces.map((piece) => {
    const end = piece.indexOf('\r\n\r\n');
    const head = piece.slice(0, end);
    const name = /; name="([^"]*)"/.exec(head)?.[1];
    if (!piece.startsWith('\r\n') || end === -1 || name === undefined)
      throw badParameter('a part has no name', null);
    const filename = /; filename="([^"]*)"/.exec(head)?.[1];
    return { name, filename, content: Buffer.from(piece.slice(end + 4), 'latin1') };
  });
}

export function fieldOf(form: readonly FormPart[], name: string): string | undefined {
  return form.find((part) => part.name === name)?.content.toString('utf8');
}
