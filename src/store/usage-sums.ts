import type { CallRow, UsageSumRow } from './schema.ts';

/** The tables of sums beside the calls: `usage_by_hour` and `usage_by_day`. */

export const MS_PER_HOUR = 3_600_000;
export const MS_PER_DAY = 24 * MS_PER_HOUR;

/** The tables and how long their spans are. */
export const SUM_TABLES = { usage_by_hour: MS_PER_HOUR, usage_by_day: MS_PER_DAY } as const;

/** What the calls of a sum have in common, beside when they began. */
export const SUM_NAMES = ['tenant', 'key', 'model', 'target', 'outcome', 'tier', 'prompt', 'side'] as const;

const UNPRICED = "cost_micro_usd is null and (outcome = 'ok' or input_tokens is not null)";

/** What is summed, and what a call adds to it, as SQL says it. */
export const ADDEND_SQL = {
  calls: '1',
  priced_calls: 'case when cost_micro_usd is null then 0 else 1 end',
  unpriced_calls: `case when ${UNPRICED} then 1 else 0 end`,
  cost_micro_usd: 'coalesce(cost_micro_usd, 0)',
  input_tokens: 'coalesce(input_tokens, 0)',
  input_audio_tokens: 'coalesce(input_audio_tokens, 0)',
  cache_read_tokens: 'coalesce(cache_read_tokens, 0)',
  cache_write_tokens: 'coalesce(cache_write_tokens, 0)',
  cache_write_1h_tokens: 'coalesce(cache_write_1h_tokens, 0)',
  output_tokens: 'coalesce(output_tokens, 0)',
  output_audio_tokens: 'coalesce(output_audio_tokens, 0)',
  reasoning_tokens: 'coalesce(reasoning_tokens, 0)',
  cached_calls: 'case when saved_tokens is null then 0 else 1 end',
  saved_micro_usd: 'coalesce(saved_micro_usd, 0)',
} as const satisfies Record<Exclude<keyof UsageSumRow, 'span' | (typeof SUM_NAMES)[number]>, string>;

export type SumNumber = keyof typeof ADDEND_SQL;
export const SUM_NUMBERS = Object.keys(ADDEND_SQL) as SumNumber[];

/** The columns of the tables in the order in which they are written. */
export const SUM_COLUMNS: readonly (keyof UsageSumRow)[] = ['span', ...SUM_NAMES, ...SUM_NUMBERS];

/** A name that may be missing, as the tables of sums have it: nothing where there is none, else behind `=`. */
export function encodeName(name: string | null): string {
  return name === null ? '' : `=${name}`;
}

export function decodeName(encoded: string): string | null {
  return encoded === '' ? null : encoded.slice(1);
}

/** `encodeName` as SQL says it of a column of calls. */
export function encodedNameSql(column: (typeof SUM_NAMES)[number]): string {
  const quoted = quote(column);
  return column === 'outcome' ? quoted : `coalesce('=' || ${quoted}, '')`;
}

/** A query for the sums of calls by spans of this length. `source`: what stands behind `from`. */
export function sumCallsSql(spanMs: number, source: string): string {
  const names = SUM_NAMES.map((name) => `${encodedNameSql(name)} as ${quote(name)}`);
  const numbers = SUM_NUMBERS.map((number) => `sum(${ADDEND_SQL[number]}) as ${quote(number)}`);
  const span = `started_at - started_at % ${spanMs} as span`;
  const groups = SUM_NAMES.map((_, index) => index + 2).join(', ');
  return `select ${[span, ...names, ...numbers].join(', ')} from ${source} group by 1, ${groups} order by 1, ${groups}`;
}

/** A statement that adds sums to a table. `source`: a query or values with all columns. */
export function addSumsSql(table: keyof typeof SUM_TABLES, source: string): string {
  const additions = SUM_NUMBERS.map(
    (number) => `${quote(number)} = ${table}.${quote(number)} + excluded.${quote(number)}`,
  );
  return `insert into ${table} (${SUM_COLUMNS.map(quote).join(', ')}) ${source}
    on conflict (${['span', ...SUM_NAMES].map(quote).join(', ')}) do update set ${additions.join(', ')}`;
}

function quote(column: string): string {
  return `"${column}"`;
}

type Name = string | null;
/** By outcome (with tier, prompt and side), target, model, key, tenant and span, from the inside out. */
type SumsByName = Map<number, Map<Name, Map<Name, Map<Name, Map<Name, Map<string, UsageSumRow>>>>>>;

/** The sums of some calls by hour, made in memory. On the way of every record: maps in maps are found faster than long names. */
export class CallSums {
  readonly #byName: SumsByName = new Map();
  readonly #rows: UsageSumRow[] = [];
  #calls = 0;

  /** How many calls were added. */
  get calls(): number {
    return this.#calls;
  }

  rows(): readonly UsageSumRow[] {
    return this.#rows;
  }

  add(row: CallRow): void {
    this.#calls += 1;
    const sum = this.#find(row);
    sum.calls += 1;
    if (row.cost_micro_usd !== null) {
      sum.priced_calls += 1;
      sum.cost_micro_usd += row.cost_micro_usd;
    } else if (row.outcome === 'ok' || row.input_tokens !== null) {
      sum.unpriced_calls += 1;
    }
    if (row.saved_tokens !== null) {
      sum.cached_calls += 1;
      sum.saved_micro_usd += row.saved_micro_usd ?? 0;
    }
    if (row.input_tokens === null) return;
    sum.input_tokens += row.input_tokens;
    sum.input_audio_tokens += row.input_audio_tokens ?? 0;
    sum.cache_read_tokens += row.cache_read_tokens ?? 0;
    sum.cache_write_tokens += row.cache_write_tokens ?? 0;
    sum.cache_write_1h_tokens += row.cache_write_1h_tokens ?? 0;
    sum.output_tokens += row.output_tokens ?? 0;
    sum.output_audio_tokens += row.output_audio_tokens ?? 0;
    sum.reasoning_tokens += row.reasoning_tokens ?? 0;
  }

  #find(row: CallRow): UsageSumRow {
    const span = row.started_at - (row.started_at % MS_PER_HOUR);
    const ofKey = within(within(within(this.#byName, span), row.tenant), row.key);
    const byOutcome = within(within(ofKey, row.model), row.target);
    const { tier, outcome, prompt, side } = row;
    const kind = tier === null ? outcome : `${outcome} ${tier}`;
    // Neither an outcome nor a tier holds a slash, and a side no blank.
    const ofPrompt = prompt === null ? kind : `${kind}/${prompt}`;
    const ending = side === null ? ofPrompt : `${side} ${ofPrompt}`;
    let sum = byOutcome.get(ending);
    if (!sum) {
      sum = startSum(span, row);
      byOutcome.set(ending, sum);
      this.#rows.push(sum);
    }
    return sum;
  }
}

function within<Outer, Inner, Value>(maps: Map<Outer, Map<Inner, Value>>, key: Outer): Map<Inner, Value> {
  let map = maps.get(key);
  if (!map) {
    map = new Map();
    maps.set(key, map);
  }
  return map;
}

function startSum(span: number, row: CallRow): UsageSumRow {
  return {
    span,
    tenant: encodeName(row.tenant),
    key: encodeName(row.key),
    model: encodeName(row.model),
    target: encodeName(row.target),
    outcome: row.outcome,
    tier: encodeName(row.tier),
    prompt: encodeName(row.prompt),
    side: encodeName(row.side),
    calls: 0,
    priced_calls: 0,
    unpriced_calls: 0,
    cost_micro_usd: 0,
    input_tokens: 0,
    input_audio_tokens: 0,
    cache_read_tokens: 0,
    cache_write_tokens: 0,
    cache_write_1h_tokens: 0,
    output_tokens: 0,
    output_audio_tokens: 0,
    reasoning_tokens: 0,
    cached_calls: 0,
    saved_micro_usd: 0,
  };
}
