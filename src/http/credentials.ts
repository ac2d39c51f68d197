import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';

/** What of a request may hold its key, or say which API's it is. */
export type KeyHolder = Pick<FastifyRequest, 'headers' | 'query' | 'url'>;

/** `Authorization: Bearer KEY` (RFC 6750 2.1; the scheme's case does not matter), where OpenAI's clients put it. */
export function readBearer(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  const match = /^bearer +([^\s]+) *$/i.exec(authorization);
  return match?.[1];
}

/** `x-api-key`, where Anthropic's clients put it, or a bearer token (`ANTHROPIC_AUTH_TOKEN`). */
export function readAnthropicKey({ headers }: KeyHolder): string | undefined {
  return readHeader(headers, 'x-api-key') ?? readBearer(headers);
}

/** `x-goog-api-key`, `?key=` (older clients, curl), or a bearer token. A URL with a key in it is never logged. */
export function readGoogleKey({ headers, query }: KeyHolder): string | undefined {
  return readHeader(headers, 'x-goog-api-key') ?? queryValue(query, 'key') ?? readBearer(headers);
}

/** A header's value; an empty one counts as absent. */
export function readHeader(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A parameter of the query; one that stands twice, or empty, counts as absent. */
export function queryValue(query: unknown, name: string): string | undefined {
  if (typeof query !== 'object' || query === null) return undefined;
  const value: unknown = Reflect.get(query, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
