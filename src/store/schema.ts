import type { Generated } from 'kysely';
import type { DialectName } from '../conversation/conversation.ts';
import type { CallOutcome, Operation } from '../usage/record.ts';
import type { PromptChangesRow, PromptLabelRow, PromptVersionRow } from './prompt-rows.ts';
import type { FeedbackRow, ReleaseRow, RolloutCallRow, RolloutRow, RolloutScoreRow } from './rollout-rows.ts';

/** The tables as queries see them. `migrations.ts` makes them; the two change together. `usage_summed` is SQLite's own (`sqlite/sums-writer.ts`). */
export interface Database {
  calls: CallRow;
  keys: KeyRow;
  responses: ResponseRow;
  upstream_objects: UpstreamObjectRow & BatchBillColumns;
  revisions: RevisionRow;
  revision_changes: RevisionChangeRow;
  config_entries: ConfigEntryRow;
  events: EventRow;
  webhook_deliveries: WebhookDeliveryRow;
  sealing: SealingRow;
  captures: CaptureRow;
  access_requests: AccessRequestRow;
  tenant_ends: TenantEndRow;
  uncounted_spendings: UncountedSpendingRow;
  rollouts: RolloutRow;
  rollout_calls: RolloutCallRow;
  releases: ReleaseRow;
  told_once: ToldOnceRow;
  prompt_versions: PromptVersionRow;
  prompt_labels: PromptLabelRow;
  prompt_changes: PromptChangesRow;
  rollout_scores: RolloutScoreRow;
  feedback: FeedbackRow;
  usage_by_hour: UsageSumRow;
  usage_by_day: UsageSumRow;
}

/** One usage record. All token columns are null where the call's usage is not known. */
export interface CallRow {
  id: string;
  /** Unix milliseconds. */
  started_at: number;
  tenant: string | null;
  key: string | null;
  dialect: DialectName;
  operation: Operation;
  model: string | null;
  target: string | null;
  /** 0 or 1: SQLite has no booleans. */
  stream: number;
  input_tokens: number | null;
  input_audio_tokens: number | null;
  cache_read_tokens: number | null;
  cache_write_tokens: number | null;
  cache_write_1h_tokens: number | null;
  output_tokens: number | null;
  output_audio_tokens: number | null;
  reasoning_tokens: number | null;
  /** 0 or 1: the tokens were counted by us because the provider did not say. */
  usage_estimated: number;
  /** How it was served, where that costs otherwise than the standard way. */
  tier: string | null;
  cost_micro_usd: number | null;
  outcome: CallOutcome;
  status: number;
  latency_ms: number;
  first_token_ms: number | null;
  /** The attempts as JSON (`usage/attempts-text.ts`): they are only ever read together with their call. */
  attempts: string;
  /** As `usage/rollout-note.ts` writes it. */
  rollout: string | null;
  /** `NAME` or `NAME@VERSION`. */
  prompt: string | null;
  /** Of calls that an earlier answer of their prompt answered; null of all others. */
  saved_tokens: number | null;
  saved_micro_usd: number | null;
  /** As `sideOf` (`usage/rollout-note.ts`) names it; null of calls that no rollout learned from. */
  side: string | null;
}

/** Something that is told once over all instances and starts. */
export interface ToldOnceRow {
  key: string;
  told_at: number;
}

/**
 * What the calls of one hour, or one day (UTC), come to that are alike in all that usage is asked by. The tables are made from `calls`
 * alone (`usage-sums.ts`).
 */
export interface UsageSumRow {
  /** Unix milliseconds: when the hour or day begins. */
  span: number;
  /** As `encodeName` writes them: a primary key cannot be null. */
  tenant: string;
  key: string;
  model: string;
  target: string;
  outcome: CallRow['outcome'];
  tier: string;
  prompt: string;
  side: string;
  calls: number;
  /** Those whose cost is known. */
  priced_calls: number;
  /** Those that a provider may bill and whose cost is not known. */
  unpriced_calls: number;
  cost_micro_usd: number;
  input_tokens: number;
  input_audio_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  cache_write_1h_tokens: number;
  output_tokens: number;
  output_audio_tokens: number;
  reasoning_tokens: number;
  /** Those that an earlier answer answered. */
  cached_calls: number;
  saved_micro_usd: number;
}

/** A key that the gateway itself made. Its secret is nowhere; the hash finds it. */
export interface KeyRow {
  /** `hashSecret` of the secret. */
  hash: string;
  kind: 'tenant' | 'admin';
  /** Null for an admin key. */
  tenant: string | null;
  name: string;
  /** Unix milliseconds. */
  created_at: number;
}

/** A response of the Responses API that can be gone on from: kept whole, or a note of which provider keeps it. */
export interface ResponseRow {
  tenant: string;
  /** Which of the tenants that have had the name: the revision that ended the one before, 0 for the first. */
  life: number;
  id: string;
  key: string;
  /** Unix milliseconds. */
  created_at: number;
  /** Unix milliseconds. */
  expires_at: number;
  /** `provider/model-version`. */
  target: string;
  /** The account of the target's provider that keeps the response; null where it is kept here. */
  account: string | null;
  /** The `input` of the request as JSON, earlier turns included; null where the provider keeps it. */
  input: string | null;
  /** The response as JSON; null where the provider keeps it. */
  response: string | null;
}

/** What a provider keeps for a tenant: nobody else may see it, and only the account that made it can. */
export interface UpstreamObjectRow {
  /** The provider's own id. */
  id: string;
  kind: 'file' | 'batch' | 'conversation' | 'container' | 'audio' | 'thread' | 'continuation' | 'compared';
  tenant: string;
  /** As in `ResponseRow`. */
  life: number;
  /** The name of the key that made it. */
  key: string;
  provider: string;
  account: string;
  /** Unix milliseconds: since when the gateway knows it. */
  created_at: number;
  /** The provider's own words, as last seen; null where only its id was seen (the output of a batch). */
  object: string | null;
  /** Unix milliseconds: from when on nobody is known to have it any more; null where it is known until it is deleted. */
  expires_at: number | null;
  /** Of a conversation or a thread, the `provider/model-version` that last answered in it; null where that is not known, and of all else. */
  target: string | null;
}

/** Of a batch: whether what it used is recorded. Others have these columns, too, and nobody reads them. */
export interface BatchBillColumns {
  /** 0 or 1: its usage record is in the store. */
  billed: Generated<number>;
  /** Of that record, from when the batch was first seen to have ended. Whoever writes the record, however often, writes this one. */
  record_id: string | null;
  /** Unix milliseconds: its start. */
  spent_at: number | null;
  /** Unix milliseconds: when the gateway last asked for it of its own accord. */
  looked_at: Generated<number>;
}

/** The prompt and the answer of a call whose tenant has them kept, redacted. */
export interface CaptureRow {
  call_id: string;
  tenant: string;
  /** Unix milliseconds. */
  expires_at: number;
  /** JSON; the beginning of it where `truncated` is 1. Null where it is not kept: `gap` says why. */
  request: string | null;
  response: string | null;
  truncated: number;
  gap: string | null;
}

/** One change of the configuration: the audit trail. Never changed, never deleted. */
export interface RevisionRow {
  number: number;
  /** Unix milliseconds. */
  created_at: number;
  author: string;
  source: 'file' | 'api' | 'restore';
  /** Of a file: a hash of what it held; null for others. */
  document_hash: string | null;
  change_count: number;
}

/** What a revision did to one entry. */
export interface RevisionChangeRow {
  revision: number;
  /** From 0, in the revision. */
  position: number;
  owner: 'file' | 'api';
  kind:
    | 'settings'
    | 'providers'
    | 'models'
    | 'rollouts'
    | 'adminKeys'
    | 'webhooks'
    | 'alerts'
    | 'tenants'
    | 'keys'
    | 'grants';
  name: string;
  /** The entry as JSON, without secrets; null where there was none. */
  before: string | null;
  /** Null where there is none any more. */
  after: string | null;
}

/** What all revisions come to. */
export interface ConfigEntryRow {
  kind: RevisionChangeRow['kind'];
  name: string;
  owner: RevisionChangeRow['owner'];
  /** As JSON, without secrets. */
  value: string;
  /** The revision that made it: entries are read in the order in which they were made. */
  revision: number;
}

/** What keys for credentials are derived with; one row. */
export interface SealingRow {
  id: number;
  /** Hex. */
  salt: string;
}

/** Something an operator may want to know of. */
export interface EventRow {
  /** UUIDv7: grows with time. */
  id: string;
  /** Unix milliseconds. */
  created_at: number;
  kind: string;
  severity: 'info' | 'warning' | 'alarm';
  message: string;
  /** As JSON. */
  details: string;
}

/** That a webhook is still to be sent an event (`webhooks/outbox.ts`). */
export interface WebhookDeliveryRow {
  /** By its name in the configuration. */
  webhook: string;
  event_id: string;
  /** That failed. */
  attempts: number;
  /** Unix milliseconds: when it is to be sent, or, while an instance is at it, when another one may be. */
  due_at: number;
}

/** A tenant's wish to call a model. */
export interface AccessRequestRow {
  /** Grows with time. */
  id: string;
  tenant: string;
  /** As in `ResponseRow`. */
  life: number;
  /** The name of the key that asked. */
  key: string;
  model: string;
  reason: string;
  state: 'pending' | 'approved' | 'denied';
  /** Unix milliseconds. */
  created_at: number;
  /** Unix milliseconds; null while it is pending, as what follows. */
  decided_at: number | null;
  /** The admin key that decided. */
  decided_by: string | null;
  /** What the operator has to say to it. */
  note: string | null;
  /** Unix milliseconds: when the approval ends; null where it does not. */
  until: number | null;
}

/** That a tenant was taken away (`tenants/tenant-ends.ts`). */
export interface TenantEndRow {
  tenant: string;
  /** The revision that took it away. */
  revision: number;
  /** Unix milliseconds: what was noted up to then is not a later tenant's. */
  ended_at: number;
}

/** What was spent of a budget and is not in the shared counters yet (`quotas/uncounted.ts`). */
export interface UncountedSpendingRow {
  /** The key of the counter there. */
  counter: string;
  /** Names the spending: `part:…`, `call:…`, `kept:…` or `left:…`. */
  source: string;
  /** The process that noted it. */
  instance: string;
  /** Tokens or billionths of a dollar. */
  amount: number;
  /** Unix milliseconds: when nobody asks any more. */
  expires_at: number;
}

/** The columns of `calls` in the order in which they are written. The type makes sure that none is missing. */
export const CALL_COLUMNS = Object.keys({
  id: 0,
  started_at: 0,
  tenant: 0,
  key: 0,
  dialect: 0,
  operation: 0,
  model: 0,
  target: 0,
  stream: 0,
  input_tokens: 0,
  input_audio_tokens: 0,
  cache_read_tokens: 0,
  cache_write_tokens: 0,
  cache_write_1h_tokens: 0,
  output_tokens: 0,
  output_audio_tokens: 0,
  reasoning_tokens: 0,
  usage_estimated: 0,
  tier: 0,
  cost_micro_usd: 0,
  outcome: 0,
  status: 0,
  latency_ms: 0,
  first_token_ms: 0,
  attempts: 0,
  rollout: 0,
  prompt: 0,
  saved_tokens: 0,
  saved_micro_usd: 0,
  side: 0,
} satisfies Record<keyof CallRow, 0>) as (keyof CallRow)[];
