import type { Store } from '../store/store.ts';
import { LONGEST_ARRIVAL_MS, madeAtOf } from './find-call.ts';

/** So many captures are looked at in a row. */
const PAGE = 500;
const CLOCK_STEP_MS = 60_000;

/** Ids of calls of a model whose requests were kept whole, newest first. */
export async function findCaptured(
  { db }: Pick<Store, 'db'>,
  { model, limit, nowMs }: { model: string; limit: number; nowMs: number },
): Promise<string[]> {
  const found: string[] = [];
  let before: string | undefined;
  while (found.length < limit) {
    let page = db
      .selectFrom('captures')
      .select('call_id')
      .where('request', 'is not', null)
      .where('truncated', '=', 0)
      .where('expires_at', '>', nowMs)
      .orderBy('call_id', 'desc')
      .limit(PAGE);
    if (before !== undefined) page = page.where('call_id', '<', before);
    const ids = (await page.execute()).map(({ call_id }) => call_id);
    const [newest] = ids;
    before = ids.at(-1);
    if (newest === undefined || before === undefined) break;
    const calls = await db
      .selectFrom('calls')
      .select('id')
      .where('started_at', '>=', (madeAtOf(before) ?? 0) - CLOCK_STEP_MS)
      .where('started_at', '<=', (madeAtOf(newest) ?? 0) + LONGEST_ARRIVAL_MS)
      .where('id', 'in', ids)
      .where('model', '=', model)
      .where('operation', '=', 'generate')
      .orderBy('id', 'desc')
      .execute();
    for (const { id } of calls) if (found.length < limit) found.push(id);
  }
  return found;
}
