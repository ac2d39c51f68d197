import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { readHeader } from './credentials.ts';
import type { Beside } from './take-call.ts';

/** Those of a request's headers that go with its body; `undefined` where there are none. */
export function readCallersHeaders(
  headers: IncomingHttpHeaders,
  names: readonly string[],
): Record<string, string> | undefined {
  let found: Record<string, string> | undefined;
  for (const name of names) {
    const value = readHeader(headers, name);
    if (value !== undefined) found = { ...found, [name]: value };
  }
  return found;
}

/** The same for a call, nearly all of which have none. */
export function besideBody({ headers }: FastifyRequest, names: readonly string[]): Beside | undefined {
  const forward = readCallersHeaders(headers, names);
  return forward && { forward };
}

/** Headers that say how a body of OpenAI's APIs is meant, and whose a call is to be (`gateway/callers-headers.ts`). */
export const OF_OPENAI: readonly string[] = ['openai-beta', 'openai-organization', 'openai-project'];
/** The same for Anthropic's. */
export const OF_ANTHROPIC: readonly string[] = [
  'anthropic-version',
  'anthropic-beta',
  'anthropic-user-profile-id',
  'anthropic-workspace-id',
];
