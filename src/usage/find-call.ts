import { type JsonValue, tryParseJson } from '../conversation/json.ts';
import type { CallRow, CaptureRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { fromCallRow } from './call-row.ts';
import type { UsageRecord } from './record.ts';

/** A call with what was kept of it. */
export interface FoundCall extends UsageRecord {
  /** `null` where its tenant has nothing kept, or no longer. */
  capture: FoundCapture | null;
}

export interface FoundCapture {
  /** As JSON; text where it was too long to be kept whole. `null`: `gap` says why. */
  request: JsonValue | null;
  response: JsonValue | null;
  truncated: boolean;
  gap: string | null;
  /** Unix milliseconds: when it is deleted. */
  expiresAt: number;
}

/** A call is taken over this long after its id was made, at most: its body arrives meanwhile. */
export const LONGEST_ARRIVAL_MS = 15 * 60_000;
/** Clocks are set. */
const CLOCK_STEP_MS = 60_000;

/** `req_` and a UUID of version 7, whose first 48 bits are Unix milliseconds (RFC 9562 5.7). */
const CALL_ID = /^req_([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Finds a call by its id: the id says when it began, and calls are kept by that. An index for it alone would make every
 * record more costly to write.
 */
export async function findCallRow({ db }: Pick<Store, 'db'>, id: string): Promise<CallRow | undefined> {
  const madeAt = madeAtOf(id);
  if (madeAt === undefined) return undefined;
  return db
    .selectFrom('calls')
    .selectAll()
    .where('started_at', '>=', madeAt - CLOCK_STEP_MS)
    .where('started_at', '<=', madeAt + LONGEST_ARRIVAL_MS)
    .where('id', '=', id)
    .orderBy('started_at')
    .limit(1)
    .executeTakeFirst();
}

/** Unix milliseconds, when the id of a call was made; `undefined` where it is none. */
export function madeAtOf(id: string): number | undefined {
  const [, high, low] = CALL_ID.exec(id) ?? [];
  return high === undefined || low === undefined ? undefined : Number.parseInt(high + low, 16);
}

/** The same, with what was kept of it. */
export async function findCall(store: Store, id: string, nowMs: number): Promise<FoundCall | undefined> {
  const row = await findCallRow(store, id);
  if (!row) return undefined;
  const capture = await store.db
    .selectFrom('captures')
    .selectAll()
    .where('call_id', '=', id)
    .where('expires_at', '>', nowMs)
    .executeTakeFirst();
  return { ...fromCallRow(row), capture: capture ? readCapture(capture) : null };
}

/** Whether a record is in the store. */
export async function hasRecord(
  { db }: Pick<Store, 'db'>,
  { id, startedAt }: Pick<UsageRecord, 'id' | 'startedAt'>,
): Promise<boolean> {
  const row = await db
    .selectFrom('calls')
    .select('id')
    .where('started_at', '=', startedAt)
    .where('id', '=', id)
    .executeTakeFirst();
  return row !== undefined;
}

function readCapture({ request, response, truncated, gap, expires_at: expiresAt }: CaptureRow): FoundCapture {
  return {
    ...{ request: readPart(request), response: readPart(response) },
    ...{ truncated: truncated === 1, gap, expiresAt },
  };
}

function readPart(text: string | null): JsonValue | null {
  return text === null ? null : (tryParseJson(text) ?? text);
}
