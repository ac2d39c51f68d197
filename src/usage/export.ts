import { setImmediate } from 'node:timers/promises';
import { mapTokens, type TokenCounts } from './call-row.ts';
import type { Grouping, UsageSum } from './queries.ts';
import type { UsageRecord } from './record.ts';
import { nameSide } from './rollout-note.ts';

/** Records and sums as lines of text for other programs. */

export const EXPORT_FORMATS = {
  csv: { contentType: 'text/csv; charset=utf-8; header=present', extension: 'csv' },
  ndjson: { contentType: 'application/x-ndjson; charset=utf-8', extension: 'ndjson' },
} as const;
export type ExportFormat = keyof typeof EXPORT_FORMATS;

type Cell = string | number | boolean | null | undefined;

/** A table: the titles of its columns and what each has of a row. */
type Columns<Row> = Record<string, (row: Row) => Cell>;

const LINES_AT_A_TIME = 500;

/** The lines of rows in a format, many to a piece. */
export async function* writeLines<Row>(
  rows: AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>,
  columns: Columns<Row>,
  format: ExportFormat,
): AsyncGenerator<string> {
  if (format === 'csv') yield formatCsvLine(Object.keys(columns));
  const readers = Object.values(columns);
  const writeLine: (row: Row) => string =
    format === 'csv'
      ? (row) => formatCsvLine(readers.map((read) => read(row)))
      : (row) => `${JSON.stringify(row)}\n`;
  for await (const some of rows) {
    for (let start = 0; start < some.length; start += LINES_AT_A_TIME) {
      yield some
        .slice(start, start + LINES_AT_A_TIME)
        .map(writeLine)
        .join('');
      // Whoever reads fast must not keep the calls waiting.
      await setImmediate();
    }
  }
}

export const CALL_COLUMNS: Columns<UsageRecord> = {
  id: ({ id }) => id,
  startedAt: ({ startedAt }) => new Date(startedAt).toISOString(),
  tenant: ({ tenant }) => tenant,
  key: ({ key }) => key,
  dialect: ({ dialect }) => dialect,
  operation: ({ operation }) => operation,
  model: ({ model }) => model,
  target: ({ target }) => target,
  stream: ({ stream }) => stream,
  ...tokenColumns<UsageRecord>(({ usage }) => usage),
  estimated: ({ usage }) => (usage ? usage.estimated === true : null),
  tier: ({ usage }) => usage?.tier,
  costMicroUsd: ({ costMicroUsd }) => costMicroUsd,
  outcome: ({ outcome }) => outcome,
  status: ({ status }) => status,
  latencyMs: ({ latencyMs }) => latencyMs,
  firstTokenMs: ({ firstTokenMs }) => firstTokenMs,
  attempts: ({ attempts }) => JSON.stringify(attempts),
  rollout: ({ rollout }) => rollout && nameSide(rollout),
  release: ({ rollout }) => rollout?.release,
  prompt: ({ prompt }) => prompt,
  savedTokens: ({ saved }) => saved?.tokens,
  savedMicroUsd: ({ saved }) => saved?.costMicroUsd,
};

/** @param names what the sums are by */
export function sumColumns(names: readonly Grouping[]): Columns<UsageSum> {
  return {
    ...Object.fromEntries(names.map((name) => [name, (sum: UsageSum) => sum[name]])),
    calls: ({ calls }) => calls,
    failed: ({ failed }) => failed,
    ...tokenColumns<UsageSum>(({ tokens }) => tokens),
    costMicroUsd: ({ costMicroUsd }) => costMicroUsd,
    unpricedCalls: ({ unpricedCalls }) => unpricedCalls,
    cachedCalls: ({ cachedCalls }) => cachedCalls,
    savedMicroUsd: ({ savedMicroUsd }) => savedMicroUsd,
  };
}

function tokenColumns<Row>(read: (row: Row) => TokenCounts | null): Columns<Row> {
  const kinds = Object.keys(mapTokens(() => 0)) as (keyof TokenCounts)[];
  return Object.fromEntries(kinds.map((kind) => [kind, (row: Row) => read(row)?.[kind]]));
}

/** A record of RFC 4180. Nothing where there is no value. */
function formatCsvLine(cells: readonly Cell[]): string {
  return `${cells.map(formatCsvCell).join(',')}\r\n`;
}

function formatCsvCell(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell !== 'string') return String(cell);
  // Clients choose names, operators open exports in spreadsheets, which take these for formulas (OWASP, "CSV Injection").
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
