import { type Logger, stdSerializers } from 'pino';
import { redactSecrets } from '../upstream/secrets.ts';

/** Errors of libraries hold sockets and whole requests: deeper than this nothing in them says more. */
const MAX_DEPTH = 4;

/**
 * A log that writes errors without secrets. What nobody foresaw may quote anything, in its message, its stack or a field
 * that a library gave it.
 *
 * @param secrets asked for when an error is written: tokens are renewed, configurations replaced
 */
export function redactingLog(log: Logger, secrets: () => readonly string[]): Logger {
  const err = (error: unknown) =>
    redactDeep(error instanceof Error ? stdSerializers.err(error) : error, secrets(), MAX_DEPTH);
  return log.child({}, { serializers: { err } });
}

function redactDeep(value: unknown, secrets: readonly string[], depth: number): unknown {
  if (typeof value === 'string') return redactSecrets(value, secrets);
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value;
  if (depth === 0) return undefined;
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, secrets, depth - 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, redactDeep(inner, secrets, depth - 1)]),
  );
}
