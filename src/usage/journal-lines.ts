import { z } from 'zod';
import type { DialectName } from '../conversation/conversation.ts';
import { tryParseJson } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import { anyOutcome, attemptsFields, readAttempts, toMicroseconds, writeAttempts } from './attempts-text.ts';
import { quoteName, quoteText, writeNumber } from './json-words.ts';
import { OPERATIONS, type Operation, type UsageRecord } from './record.ts';
import { readRolloutNote, writeRolloutNote } from './rollout-note.ts';

/*
 * The journal's own format: a line a fact, `LENGTH KIND JSON \n` without the spaces. LENGTH is that of the JSON text in
 * UTF-16 units: a line that was cut, wherever, has another. KIND is `s` for a call that started and `r` for its usage
 * record. The JSON is an array whose places are the fields: half as long as an object, and durations are whole
 * microseconds. JSON text holds no line break, so a line that cannot be read costs only itself. It is put together by
 * hand: `JSON.stringify` takes twice as long for an array. A process reads what one of an older build left: where a line
 * gets another form, its number of places tells which it has, and the older form stays readable.
 */

/** What is known of a call from its beginning to its end. */
export type CallFields = Pick<
  UsageRecord,
  'id' | 'startedAt' | 'tenant' | 'key' | 'dialect' | 'operation' | 'model'
>;

/** What is known of a call before its first upstream request goes out. */
export interface StartedCall extends CallFields {
  target: string;
  account: string;
  stream: boolean;
  /** Input tokens that were set aside for it, or would have been; `null` where nothing is known of them. */
  reservedInput: number | null;
  /** Output tokens, alike. */
  reservedOutput: number;
  /** What was set aside for the call, in millionths of a dollar; `null` where no money was: the tokens are priced then. */
  reservedCostMicroUsd: number | null;
  /** When it began its process alone counted it, not the counters that instances share. */
  countedAlone: boolean;
  /** The tier that it asks its first target for; absent: the standard one. */
  tier?: string | undefined;
  /** As in its record. */
  prompt?: string | undefined;
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

/**
 * What the two lines of a call begin with: what both say of it. The second is written with the head of the first, where
 * that is at hand.
 */
export function writeHead(call: CallFields): string {
  const { id, startedAt, tenant, key, dialect, operation, model } = call;
  const names = `${quoteName(tenant)},${quoteName(key)},"${dialect}","${operation}",${quoteName(model)}`;
  return `[${quoteText(id)},${writeNumber(startedAt)},${names}`;
}

export function writeStartLine(call: StartedCall, head = writeHead(call)): string {
  const { target, account, stream, reservedInput, reservedOutput, reservedCostMicroUsd, countedAlone } = call;
  const names = `${quoteName(target)},${quoteName(account)}`;
  const reserved = `${writeNumber(reservedInput)},${writeNumber(reservedOutput)}`;
  const numbers = `${stream ? 1 : 0},${reserved},${writeNumber(reservedCostMicroUsd)},${countedAlone ? 1 : 0}`;
  return frame('s', `${head},${names},${numbers}${writeRareOfStart(call)}]`);
}

function writeRareOfStart({ tier, prompt }: StartedCall): string {
  if (prompt !== undefined) return `,${quoteName(tier ?? null)},${quoteText(prompt)}`;
  return tier === undefined ? '' : `,${quoteText(tier)}`;
}

export function writeRecordLine(record: UsageRecord, head = writeHead(record)): string {
  const { target, stream, usage, costMicroUsd, outcome, status, latencyMs, firstTokenMs } = record;
  const used = `${stream ? 1 : 0},${writeUsage(usage)},${writeNumber(costMicroUsd)}`;
  const firstToken = firstTokenMs === null ? 'null' : writeNumber(toMicroseconds(firstTokenMs));
  const ended = `"${outcome}",${writeNumber(status)},${writeNumber(toMicroseconds(latencyMs))},${firstToken}`;
  const rare = writeRareOfRecord(record);
  return frame('r', `${head},${quoteName(target)},${used},${ended},${writeAttempts(record)}${rare}]`);
}

/** What nearly all have none of: a rollout, a prompt, and what an earlier answer of that saved. */
function writeRareOfRecord({ rollout, prompt, saved }: UsageRecord): string {
  if (prompt === undefined) return rollout ? `,${quoteText(writeRolloutNote(rollout))}` : '';
  const notes = `,${quoteName(rollout ? writeRolloutNote(rollout) : null)},${quoteText(prompt)}`;
  return saved ? `${notes},${writeNumber(saved.tokens)},${writeNumber(saved.costMicroUsd)}` : notes;
}

/** Whether it is an estimate, input and output; the other kinds of tokens only where there are any, and behind them the tier. */
function writeUsage(usage: Usage | null): string {
  if (!usage) return 'null';
  const { input, inputAudio, cacheRead, cacheWrite, cacheWrite1h, output, outputAudio, reasoning } = usage;
  const plain = `[${usage.estimated ? 1 : 0},${writeNumber(input)},${writeNumber(output)}`;
  const isPlain = inputAudio === 0 && outputAudio === 0 && reasoning === 0;
  const isStandard = usage.tier === undefined;
  if (isPlain && isStandard && cacheRead === 0 && cacheWrite === 0 && cacheWrite1h === 0) return `${plain}]`;
  const cache = `${writeNumber(cacheRead)},${writeNumber(cacheWrite)},${writeNumber(cacheWrite1h)}`;
  const others = `${writeNumber(inputAudio)},${writeNumber(outputAudio)},${writeNumber(reasoning)}`;
  return `${plain},${cache},${others}${usage.tier === undefined ? '' : `,${quoteText(usage.tier)}`}]`;
}

function frame(kind: 's' | 'r', json: string): string {
  return `${json.length}${kind}${json}\n`;
}

const flag = z.union([z.literal(0), z.literal(1)]).transform((bit) => bit === 1);
const milliseconds = z.number().transform((microseconds) => microseconds / 1000);
const operation = z.enum(Object.keys(OPERATIONS) as Operation[]);
const dialect = z.enum(['chat', 'responses', 'messages', 'gemini', 'converse'] satisfies DialectName[]);
const text = z.string();
const name = z.string().nullable();
const number = z.number().nullable();
/** JSON has no word for a number that no provider should have said (infinity); the store takes it for none. */
const tokens = number.transform((count) => count ?? 0);

const callFields = [text, z.int(), name, name, dialect, operation, name] as const;

const startLine = z
  .tuple([...callFields, text, text, flag, number, tokens, number, flag, text.nullish(), text.optional()])
  .transform(
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
      reservedInput: fields[10],
      reservedOutput: fields[11],
      reservedCostMicroUsd: fields[12],
      countedAlone: fields[13],
      ...(fields[14] != null && { tier: fields[14] }),
      ...(fields[15] !== undefined && { prompt: fields[15] }),
    }),
  );

/**
 * Builds before noted no output that was set aside, or not who counted the call: a process of one may have been killed, and has its calls
 * to tell still.
 */
const PLACES_WITHOUT_OUTPUT = 12;
const PLACES_WITHOUT_COUNTED = 13;

function readStartFields(fields: unknown): StartedCall | undefined {
  return startLine.safeParse(Array.isArray(fields) ? completeStart(fields) : fields).data;
}

function completeStart(fields: unknown[]): unknown[] {
  if (fields.length === PLACES_WITHOUT_OUTPUT)
    return [...fields.toSpliced(PLACES_WITHOUT_OUTPUT - 1, 0, 0), 0];
  return fields.length === PLACES_WITHOUT_COUNTED ? [...fields, 0] : fields;
}

const usage = z
  .union([
    z.tuple([flag, tokens, tokens]),
    z.tuple([flag, tokens, tokens, tokens, tokens, tokens, tokens, tokens, tokens, text.optional()]),
  ])
  .transform((fields): Usage => {
    const [estimated, input, output] = fields;
    const [cacheRead = 0, cacheWrite = 0, cacheWrite1h = 0] = fields.slice(3, 6) as number[];
    const [inputAudio = 0, outputAudio = 0, reasoning = 0] = fields.slice(6, 9) as number[];
    const tier = fields[9];
    return {
      ...{ input, inputAudio, cacheRead, cacheWrite, cacheWrite1h, output, outputAudio, reasoning },
      ...(estimated && { estimated }),
      ...(tier !== undefined && { tier }),
    };
  });

/** Of another build it may be none that this one knows. */
const rolloutNote = z.string().transform(readRolloutNote);

const recordLine = z
  .tuple([
    ...callFields,
    ...[name, flag, usage.nullable(), number],
    ...[anyOutcome, z.int(), milliseconds, milliseconds.nullable(), attemptsFields, rolloutNote.nullish()],
    ...[text.optional(), tokens.optional(), number.optional()],
  ] as const)
  .transform(
    (fields): UsageRecord => ({
      id: fields[0],
      startedAt: fields[1],
      tenant: fields[2],
      key: fields[3],
      dialect: fields[4],
      operation: fields[5],
      model: fields[6],
      target: fields[7],
      stream: fields[8],
      usage: fields[9],
      costMicroUsd: fields[10],
      outcome: fields[11],
      status: fields[12],
      latencyMs: fields[13],
      firstTokenMs: fields[14],
      attempts: readAttempts(fields[15], fields[7]),
      ...(fields[16] && { rollout: fields[16] }),
      ...(fields[17] !== undefined && { prompt: fields[17] }),
      ...(fields[18] !== undefined && { saved: { tokens: fields[18], costMicroUsd: fields[19] ?? null } }),
    }),
  );

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
  return kind === 's' ? readStartFields(fields) : recordLine.safeParse(fields).data;
}
