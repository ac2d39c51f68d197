import { z } from 'zod';
import type { DialectName } from '../conversation/conversation.ts';
import { ERROR_KINDS, type ErrorKind } from '../conversation/gateway-error.ts';
import { tryParseJson } from '../conversation/json.ts';
import { type AttemptRecord, OPERATIONS, type Operation, type UsageRecord } from './record.ts';

/*
 * The journal's own format: a line a fact, `LENGTH KIND JSON \n` without the spaces. LENGTH is that of the JSON text in
 * UTF-16 units: a line that was cut, wherever, has another. KIND is `s` for a call that started and `r` for its usage
 * record. The JSON is an array whose places are the fields: half as long as an object, and durations are whole
 * microseconds. JSON text holds no line break, so a line that cannot be read costs only itself.
 */

/** What is known of a call before its first upstream request goes out. */
export interface StartedCall {
  id: string;
  /** Unix milliseconds. */
  startedAt: number;
  tenant: string | null;
  key: string | null;
  dialect: UsageRecord['dialect'];
  operation: Operation;
  model: string | null;
  target: string;
  account: string;
  stream: boolean;
  /** Input tokens by the request's size; `null` where nothing is known of them. */
  estimatedInput: number | null;
  /** What was set aside for the call, in millionths of a dollar; `null` where nothing was: the estimate is priced then. */
  reservedCostMicroUsd: number | null;
}

/** What a segment of the journal says. */
export interface JournalContent {
  /** Calls of which it has no record: they were under way, or their record is in a later segment. */
  started: Map<string, StartedCall>;
  records: UsageRecord[];
  /** The end of the file is half a line, as a process that is killed while it writes leaves it. Nobody was answered on it. */
  torn: boolean;
  /** Lines before the end that cannot be read: something else than the gateway wrote to the file, or the disk lost it. */
  damagedLines: number;
}

export function writeStartLine(call: StartedCall): string {
  return frame('s', [
    call.id,
    call.startedAt,
    call.tenant,
    call.key,
    call.dialect,
    call.operation,
    call.model,
    call.target,
    call.account,
    call.stream ? 1 : 0,
    call.estimatedInput,
    call.reservedCostMicroUsd,
  ]);
}

export function writeRecordLine(record: UsageRecord): string {
  const { usage } = record;
  // Flat: nested arrays cost a third more.
  const fields: unknown[] = [
    record.id,
    record.startedAt,
    record.tenant,
    record.key,
    record.dialect,
    record.operation,
    record.model,
    record.target,
    record.stream ? 1 : 0,
    usage ? (usage.estimated ? 2 : 1) : 0,
    usage?.input,
    usage?.inputAudio,
    usage?.cacheRead,
    usage?.cacheWrite,
    usage?.cacheWrite1h,
    usage?.output,
    usage?.outputAudio,
    usage?.reasoning,
    record.costMicroUsd,
    record.outcome,
    record.status,
    toMicroseconds(record.latencyMs),
    record.firstTokenMs === null ? null : toMicroseconds(record.firstTokenMs),
  ];
  for (const attempt of record.attempts) {
    fields.push(
      attempt.target,
      attempt.account,
      toMicroseconds(attempt.startedAfterMs),
      toMicroseconds(attempt.durationMs),
      attempt.status,
      attempt.outcome,
      attempt.dropped ?? 0,
    );
  }
  return frame('r', fields);
}

function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000);
}

function frame(kind: 's' | 'r', fields: readonly unknown[]): string {
  const json = JSON.stringify(fields);
  return `${json.length}${kind}${json}\n`;
}

const flag = z.union([z.literal(0), z.literal(1)]).transform((bit) => bit === 1);
const milliseconds = z.number().transform((microseconds) => microseconds / 1000);
const operation = z.enum(Object.keys(OPERATIONS) as Operation[]);
const dialect = z.enum(['chat', 'responses', 'messages', 'gemini', 'converse'] satisfies DialectName[]);
const outcome = z.enum(['ok', 'interrupted', ...(Object.keys(ERROR_KINDS) as ErrorKind[])]);
const text = z.string();
const name = z.string().nullable();
const number = z.number().nullable();
/** JSON has no word for a number that no provider should have said (infinity); the store takes it for none. */
const tokens = number.transform((count) => count ?? 0);

const callFields = [text, z.int(), name, name, dialect, operation, name] as const;

const startLine = z.tuple([...callFields, text, text, flag, number, number]).transform(
  (fields): StartedCall => ({
    id: fields[0],
    startedAt: fields[1],
    tenant: fields[2],
    key: fields[3],
    dialect: fields[4],
    operation: fields[5],
    model: fields[6],
    target: fields[7],
    account: fields[8],
    stream: fields[9],
    estimatedInput: fields[10],
    reservedCostMicroUsd: fields[11],
  }),
);

const dropped = z.union([z.literal(0), z.array(text)]);

const attemptFields = z.tuple([text, text, milliseconds, milliseconds, number, outcome, dropped]).transform(
  (fields): AttemptRecord => ({
    target: fields[0],
    account: fields[1],
    startedAfterMs: fields[2],
    durationMs: fields[3],
    status: fields[4],
    outcome: fields[5],
    ...(fields[6] !== 0 && { dropped: fields[6] }),
  }),
);
const attemptList = z.array(attemptFields);
/** How many fields each attempt adds to a record's line, behind all others. */
const ATTEMPT_FIELDS = 7;

/** 0: not known; 1: the provider said it; 2: estimated. */
const usageKind = z.union([z.literal(0), z.literal(1), z.literal(2)]);

const recordLine = z
  .tuple([
    ...callFields,
    ...[name, flag, usageKind],
    ...[tokens, tokens, tokens, tokens, tokens, tokens, tokens, tokens],
    ...[number, outcome, z.int(), milliseconds, milliseconds.nullable()],
  ] as const)
  .transform(
    (fields): Omit<UsageRecord, 'attempts'> => ({
      id: fields[0],
      startedAt: fields[1],
      tenant: fields[2],
      key: fields[3],
      dialect: fields[4],
      operation: fields[5],
      model: fields[6],
      target: fields[7],
      stream: fields[8],
      usage:
        fields[9] === 0
          ? null
          : {
              input: fields[10],
              inputAudio: fields[11],
              cacheRead: fields[12],
              cacheWrite: fields[13],
              cacheWrite1h: fields[14],
              output: fields[15],
              outputAudio: fields[16],
              reasoning: fields[17],
              ...(fields[9] === 2 && { estimated: true }),
            },
      costMicroUsd: fields[18],
      outcome: fields[19],
      status: fields[20],
      latencyMs: fields[21],
      firstTokenMs: fields[22],
    }),
  );
const RECORD_FIELDS = 23;

/** Reads a segment, whatever became of it. A call that started and has its record is only in `records`. */
export function readJournal(bytes: Buffer): JournalContent {
  const content: JournalContent = { started: new Map(), records: [], torn: false, damagedLines: 0 };
  const recorded = new Set<string>();
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline === -1 ? bytes.length : newline;
    const fact = readLine(bytes.toString('utf8', at, end));
    at = end + 1;
    if (fact === undefined) {
      if (newline === -1) content.torn = true;
      else content.damagedLines += 1;
    } else if ('attempts' in fact) {
      content.records.push(fact);
      recorded.add(fact.id);
    } else {
      content.started.set(fact.id, fact);
    }
  }
  for (const id of recorded) content.started.delete(id);
  return content;
}

const LINE = /^(\d{1,9})([rs])(.*)$/s;

function readLine(line: string): StartedCall | UsageRecord | undefined {
  const [, length, kind, json] = LINE.exec(line) ?? [];
  if (json === undefined || json.length !== Number(length)) return undefined;
  const fields: unknown = tryParseJson(json);
  if (kind === 's') return startLine.safeParse(fields).data;
  return Array.isArray(fields) ? readRecord(fields) : undefined;
}

function readRecord(fields: readonly unknown[]): UsageRecord | undefined {
  const record = recordLine.safeParse(fields.slice(0, RECORD_FIELDS)).data;
  const groups: unknown[] = [];
  for (let at = RECORD_FIELDS; at < fields.length; at += ATTEMPT_FIELDS) {
    groups.push(fields.slice(at, at + ATTEMPT_FIELDS));
  }
  const attempts = attemptList.safeParse(groups).data;
  return record && attempts && { ...record, attempts };
}
