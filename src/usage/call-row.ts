import type { Usage } from '../conversation/usage.ts';
import type { CallRow } from '../store/schema.ts';
import { type AttemptFields, readAttempts, writeAttempts } from './attempts-text.ts';
import type { UsageRecord } from './record.ts';
import { readRolloutNote, sideOf, writeRolloutNote } from './rollout-note.ts';

/** Token counts by kind: what of a usage adds up. */
export type TokenCounts = Omit<Usage, 'estimated' | 'tier' | 'model' | 'beside' | 'saidMicroUsd'>;

/** The column of each kind of token. */
export const TOKEN_COLUMNS = {
  input: 'input_tokens',
  inputAudio: 'input_audio_tokens',
  cacheRead: 'cache_read_tokens',
  cacheWrite: 'cache_write_tokens',
  cacheWrite1h: 'cache_write_1h_tokens',
  output: 'output_tokens',
  outputAudio: 'output_audio_tokens',
  reasoning: 'reasoning_tokens',
} as const satisfies Record<keyof TokenCounts, keyof CallRow>;

/** Counts for every kind of token. */
export function mapTokens(count: (kind: keyof TokenCounts) => number): TokenCounts {
  return {
    input: count('input'),
    inputAudio: count('inputAudio'),
    cacheRead: count('cacheRead'),
    cacheWrite: count('cacheWrite'),
    cacheWrite1h: count('cacheWrite1h'),
    output: count('output'),
    outputAudio: count('outputAudio'),
    reasoning: count('reasoning'),
  };
}

/** No call has more tokens of a kind. A provider that claims more, or a fraction, must not make sums unreadable. */
const MAX_TOKENS = 1_000_000_000;

/** The same usage with whole counts, as high as they are believed. */
export function boundUsage(usage: Usage): Usage {
  if (isBounded(usage)) return usage;
  const bounded: Usage = mapTokens((kind) => Math.min(Math.max(0, Math.trunc(usage[kind]) || 0), MAX_TOKENS));
  if (usage.estimated) bounded.estimated = true;
  if (usage.tier !== undefined) bounded.tier = usage.tier;
  return bounded;
}

/** Written out: it is asked of every call, and all but a few are. */
function isBounded(usage: Usage): boolean {
  const { input, inputAudio, cacheRead, cacheWrite, cacheWrite1h, output, outputAudio, reasoning } = usage;
  return (
    isCount(input) &&
    isCount(inputAudio) &&
    isCount(cacheRead) &&
    isCount(cacheWrite) &&
    isCount(cacheWrite1h) &&
    isCount(output) &&
    isCount(outputAudio) &&
    isCount(reasoning)
  );
}

function isCount(tokens: number): boolean {
  return tokens >= 0 && tokens <= MAX_TOKENS && Number.isInteger(tokens);
}

/** A usage record as its row in the store. The inverse of `fromCallRow`. */
export function toCallRow(record: UsageRecord): CallRow {
  const { usage } = record;
  return {
    id: record.id,
    started_at: record.startedAt,
    tenant: record.tenant,
    key: record.key,
    dialect: record.dialect,
    operation: record.operation,
    model: record.model,
    target: record.target,
    stream: record.stream ? 1 : 0,
    input_tokens: usage?.input ?? null,
    input_audio_tokens: usage?.inputAudio ?? null,
    cache_read_tokens: usage?.cacheRead ?? null,
    cache_write_tokens: usage?.cacheWrite ?? null,
    cache_write_1h_tokens: usage?.cacheWrite1h ?? null,
    output_tokens: usage?.output ?? null,
    output_audio_tokens: usage?.outputAudio ?? null,
    reasoning_tokens: usage?.reasoning ?? null,
    usage_estimated: usage?.estimated ? 1 : 0,
    tier: usage?.tier ?? null,
    cost_micro_usd: record.costMicroUsd,
    outcome: record.outcome,
    status: record.status,
    latency_ms: record.latencyMs,
    first_token_ms: record.firstTokenMs,
    attempts: writeAttempts(record),
    rollout: record.rollout ? writeRolloutNote(record.rollout) : null,
    prompt: record.prompt ?? null,
    saved_tokens: record.saved?.tokens ?? null,
    saved_micro_usd: record.saved?.costMicroUsd ?? null,
    side: record.rollout ? sideOf(record.rollout) : null,
  };
}

export function fromCallRow(row: CallRow): UsageRecord {
  const rollout = row.rollout === null ? undefined : readRolloutNote(row.rollout);
  return {
    id: row.id,
    startedAt: row.started_at,
    tenant: row.tenant,
    key: row.key,
    dialect: row.dialect,
    operation: row.operation,
    model: row.model,
    target: row.target,
    stream: row.stream === 1,
    usage: readUsage(row),
    costMicroUsd: row.cost_micro_usd,
    outcome: row.outcome,
    status: row.status,
    latencyMs: row.latency_ms,
    firstTokenMs: row.first_token_ms,
    attempts: readAttempts(JSON.parse(row.attempts) as AttemptFields[], row.target),
    ...(rollout && { rollout }),
    ...(row.prompt !== null && { prompt: row.prompt }),
    ...(row.saved_tokens !== null && {
      saved: { tokens: row.saved_tokens, costMicroUsd: row.saved_micro_usd },
    }),
  };
}

/** What a call used, as its row says it. */
export function readUsage(row: CallRow): Usage | null {
  if (row.input_tokens === null) return null;
  const usage: Usage = mapTokens((kind) => row[TOKEN_COLUMNS[kind]] ?? 0);
  if (row.usage_estimated === 1) usage.estimated = true;
  if (row.tier !== null) usage.tier = row.tier;
  return usage;
}
