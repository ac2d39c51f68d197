import { z } from 'zod';
import { ERROR_KINDS, type ErrorKind } from '../conversation/gateway-error.ts';
import { quoteName, writeNumber } from './json-words.ts';
import type { AttemptRecord, CallOutcome, UsageRecord } from './record.ts';

/*
 * The attempts of a call as the journal and the store have them: JSON arrays whose places are the fields, because they
 * are written and kept with every call, and seldom read. Durations are whole microseconds.
 */

export const anyOutcome = z.enum(['ok', 'interrupted', ...(Object.keys(ERROR_KINDS) as ErrorKind[])]);

/** One attempt. The target is left out, or 0 before what was dropped, where it is the record's own. */
export type AttemptFields = [
  account: string,
  startedAfterUs: number,
  durationUs: number,
  status: number | null,
  outcome: CallOutcome,
  target?: string | 0 | undefined,
  dropped?: string[] | undefined,
];

export const attemptsFields: z.ZodType<AttemptFields[]> = z.array(
  z.tuple([
    ...[z.string(), z.number(), z.number(), z.number().nullable(), anyOutcome],
    ...[z.union([z.string(), z.literal(0)]).optional(), z.array(z.string()).optional()],
  ] as const),
);

export function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000);
}

export function writeAttempts({ attempts, target }: Pick<UsageRecord, 'attempts' | 'target'>): string {
  let text = '';
  for (const attempt of attempts) text += `${text === '' ? '' : ','}${writeAttempt(attempt, target)}`;
  return `[${text}]`;
}

function writeAttempt(attempt: AttemptRecord, ownTarget: string | null): string {
  const { target, account, startedAfterMs, durationMs, status, outcome, dropped } = attempt;
  const after = writeNumber(toMicroseconds(startedAfterMs));
  const duration = writeNumber(toMicroseconds(durationMs));
  const fields = `[${quoteName(account)},${after},${duration},${writeNumber(status)},"${outcome}"`;
  if (target === ownTarget && !dropped) return `${fields}]`;
  const other = target === ownTarget ? '0' : quoteName(target);
  return dropped ? `${fields},${other},${JSON.stringify(dropped)}]` : `${fields},${other}]`;
}

/** The inverse of `writeAttempts`, parsed. `ownTarget`: the record's. */
export function readAttempts(attempts: readonly AttemptFields[], ownTarget: string | null): AttemptRecord[] {
  return attempts.map(([account, startedAfterUs, durationUs, status, outcome, target, dropped]) => ({
    target: typeof target === 'string' ? target : (ownTarget ?? ''),
    account,
    startedAfterMs: startedAfterUs / 1000,
    durationMs: durationUs / 1000,
    status,
    outcome,
    ...(dropped && { dropped }),
  }));
}
