import type { AttemptRecord } from '../usage/record.ts';
import type { Call } from './call.ts';

/** Names hold keys that callers made up: a record keeps so many of them, so long. */
const MOST_NAMES = 50;
const MAX_NAME_CHARS = 200;

/** Notes with an attempt what its target is told otherwise than the caller said it. */
export function noteAdapted(
  record: AttemptRecord,
  { dropped, renamed }: Pick<Call, 'dropped' | 'renamed'>,
): void {
  if (dropped.length === 0 && !renamed) return;
  const adapted = new Map<string, string | null>();
  for (const [from, to] of Object.entries(renamed ?? {})) adapted.set(from, to);
  for (const name of dropped) {
    if (adapted.size >= MOST_NAMES) break;
    const fitted = name.indexOf('=');
    const from = fitted === -1 ? name : name.slice(0, fitted);
    adapted.set(from.slice(0, MAX_NAME_CHARS), fitted === -1 ? null : name.slice(0, MAX_NAME_CHARS));
  }
  record.adapted = Object.fromEntries(adapted);
}
