import { z } from 'zod';
import { ERROR_KINDS, type ErrorKind } from '../conversation/gateway-error.ts';
import type { Usage } from '../conversation/usage.ts';
import { quoteName, writeNumber } from './json-words.ts';
import type { AttemptOutcome, AttemptRecord, UsageRecord } from './record.ts';

/*
 * The attempts of a call as the journal and the store have them: JSON arrays whose places are the fields, because they
 * are written and kept with every call, and seldom read. Durations are whole microseconds.
 */

export const anyOutcome = z.enum(['ok', 'interrupted', ...(Object.keys(ERROR_KINDS) as ErrorKind[])]);
const attemptOutcome = z.enum([...anyOutcome.options, 'lost']);

/** One attempt. What it has nothing of is left out, or 0 before what follows; so is the target where it is the record's own. */
export type AttemptFields = [
  account: string,
  startedAfterUs: number,
  durationUs: number,
  status: number | null,
  outcome: AttemptOutcome,
  target?: string | 0 | undefined,
  dropped?: string[] | 0 | undefined,
  used?: UsedFields | 0 | undefined,
  reason?: string | 0 | undefined,
  address?: string | 0 | undefined,
  adapted?: Record<string, string | null> | undefined,
];

/** What an attempt used where another ended the call. */
type UsedFields = [
  costMicroUsd: number | null,
  estimated: 0 | 1,
  input: number,
  output: number,
  cacheRead: number,
  cacheWrite: number,
  cacheWrite1h: number,
  inputAudio: number,
  outputAudio: number,
  reasoning: number,
  tier?: string | undefined,
];

const tokens = z.number();
const usedFields: z.ZodType<UsedFields> = z.tuple([
  ...[z.number().nullable(), z.union([z.literal(0), z.literal(1)])],
  ...[tokens, tokens, tokens, tokens, tokens, tokens, tokens, tokens, z.string().optional()],
] as const);

export const attemptsFields: z.ZodType<AttemptFields[]> = z.array(
  z.tuple([
    ...[z.string(), z.number(), z.number(), z.number().nullable(), attemptOutcome],
    z.union([z.string(), z.literal(0)]).optional(),
    ...[
      z.union([z.array(z.string()), z.literal(0)]).optional(),
      z.union([usedFields, z.literal(0)]).optional(),
    ],
    ...[z.union([z.string(), z.literal(0)]).optional(), z.union([z.string(), z.literal(0)]).optional()],
    z.record(z.string(), z.string().nullable()).optional(),
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
  const { target, account, startedAfterMs, durationMs, status, outcome } = attempt;
  const after = writeNumber(toMicroseconds(startedAfterMs));
  const duration = writeNumber(toMicroseconds(durationMs));
  const fields = `[${quoteName(account)},${after},${duration},${writeNumber(status)},"${outcome}"`;
  const more = writeMore(attempt);
  if (target === ownTarget && more === '') return `${fields}]`;
  const other = target === ownTarget ? '0' : quoteName(target);
  return more === '' ? `${fields},${other}]` : `${fields},${other},${more}]`;
}

/** What few attempts have. */
function writeMore({ dropped, usage, costMicroUsd = null, reason, address, adapted }: AttemptRecord): string {
  if (!dropped && !usage && reason === undefined && address === undefined && !adapted) return '';
  const named = dropped ? JSON.stringify(dropped) : '0';
  const used = usage ? JSON.stringify(writeUsed(usage, costMicroUsd)) : '0';
  const why = reason === undefined ? '0' : quoteName(reason);
  if (adapted) {
    const where = address === undefined ? '0' : quoteName(address);
    return `${named},${used},${why},${where},${JSON.stringify(adapted)}`;
  }
  if (address !== undefined) return `${named},${used},${why},${quoteName(address)}`;
  if (reason !== undefined) return `${named},${used},${why}`;
  return usage ? `${named},${used}` : named;
}

function writeUsed(usage: Usage, costMicroUsd: number | null): UsedFields {
  const { input, output, cacheRead, cacheWrite, cacheWrite1h, inputAudio, outputAudio, reasoning } = usage;
  const counts = [
    input,
    output,
    cacheRead,
    cacheWrite,
    cacheWrite1h,
    inputAudio,
    outputAudio,
    reasoning,
  ] as const;
  const used: UsedFields = [costMicroUsd, usage.estimated ? 1 : 0, ...counts];
  if (usage.tier !== undefined) used.push(usage.tier);
  return used;
}

function readUsed([costMicroUsd, estimated, input, output, ...others]: UsedFields) {
  const [cacheRead, cacheWrite, cacheWrite1h, inputAudio, outputAudio, reasoning, tier] = others;
  const usage: Usage = {
    ...{ input, inputAudio, cacheRead, cacheWrite, cacheWrite1h, output, outputAudio, reasoning },
    ...(estimated === 1 && { estimated: true }),
    ...(tier !== undefined && { tier }),
  };
  return { usage, costMicroUsd };
}

/** The inverse of `writeAttempts`, parsed. `ownTarget`: the record's. */
export function readAttempts(attempts: readonly AttemptFields[], ownTarget: string | null): AttemptRecord[] {
  return attempts.map(
    ([
      account,
      startedAfterUs,
      durationUs,
      status,
      outcome,
      target,
      dropped,
      used,
      reason,
      address,
      adapted,
    ]) => ({
      target: typeof target === 'string' ? target : (ownTarget ?? ''),
      account,
      startedAfterMs: startedAfterUs / 1000,
      durationMs: durationUs / 1000,
      status,
      outcome,
      ...(dropped && { dropped }),
      ...(used && readUsed(used)),
      ...(typeof reason === 'string' && { reason }),
      ...(typeof address === 'string' && { address }),
      ...(adapted && { adapted }),
    }),
  );
}
