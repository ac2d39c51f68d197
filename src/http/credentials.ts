import type { IncomingHttpHeaders } from 'node:http';

/** `Authorization: Bearer KEY` (RFC 6750 2.1; the scheme's case does not matter), where OpenAI's clients put it. */
export function readBearer(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  const match = /^bearer +([^\s]+) *$/i.exec(authorization);
  return match?.[1];
}
