import type { DialectName } from '../conversation/conversation.ts';
import type { ErrorKind } from '../conversation/gateway-error.ts';
import type { Usage } from '../conversation/usage.ts';
import type { RolloutNote } from './rollout-note.ts';

/**
 * What can be asked for, and what is recorded where nobody said what it used: an estimate by the tokens of its text, or
 * nothing. `unpublished`: its tokens are of kinds (images) that cost otherwise than the ones that are told apart here, so that only a price of the operator's own
 * says a cost. `count`: the tokens of a request, which nobody bills. `response`: what is asked about a kept response.
 */
export const OPERATIONS = {
  generate: { unsaid: 'estimate' },
  embed: { unsaid: 'estimate' },
  count: { unsaid: 'nothing' },
  image: { unsaid: 'nothing', unpublished: true },
  image_edit: { unsaid: 'nothing', unpublished: true },
  image_variation: { unsaid: 'nothing', unpublished: true },
  speech: { unsaid: 'nothing' },
  transcribe: { unsaid: 'nothing' },
  translate: { unsaid: 'nothing' },
  moderate: { unsaid: 'nothing' },
  rerank: { unsaid: 'nothing' },
  file: { unsaid: 'nothing' },
  batch: { unsaid: 'nothing' },
  response: { unsaid: 'nothing' },
} as const satisfies Record<string, OperationRules>;

interface OperationRules {
  unsaid: 'estimate' | 'nothing';
  unpublished?: true;
}

export type Operation = keyof typeof OPERATIONS;

/** The durable record of one call, whatever became of it. */
export interface UsageRecord {
  /** The call's id; the caller saw it as `x-request-id`. */
  id: string;
  /** Unix milliseconds. */
  startedAt: number;
  /** `null` where the caller was not recognised. */
  tenant: string | null;
  /** The key's name, never its secret. */
  key: string | null;
  /** The dialect that the caller spoke. */
  dialect: DialectName;
  operation: Operation;
  /** The public name as the client wrote it; `null` where the request did not get that far. */
  model: string | null;
  /** `provider/model-version` of the attempt that ended it; `null` where there was none. */
  target: string | null;
  stream: boolean;
  /** Of all its attempts. `null` where nothing was generated or the provider did not say. */
  usage: Usage | null;
  /** Of all its attempts, each at its target's price. Millionths of a US dollar, and fractions of them; `null` where the price is unknown (never 0 for that). */
  costMicroUsd: number | null;
  outcome: CallOutcome;
  /** The HTTP status that the caller got (499: it went away before; 0: the gateway was killed, and nobody knows). */
  status: number;
  latencyMs: number;
  /** From the start to the first byte of real output; `null` where there was none. */
  firstTokenMs: number | null;
  attempts: AttemptRecord[];
  /** Absent where its model was in no rollout, or the call was none that a rollout could be about. */
  rollout?: RolloutNote;
  /** The prompt that was called, `NAME` or `NAME@VERSION`; absent where none was. */
  prompt?: string;
  /** Of a call that was answered with an earlier answer of its prompt, and asked nobody; absent of all others. */
  saved?: SavedUse;
}

/** What asking again would have come to. */
export interface SavedUse {
  /** Input and output; 0 where nobody said. */
  tokens: number;
  /** Millionths of a US dollar; `null` where the price is unknown. */
  costMicroUsd: number | null;
}

/** The name of a prompt, of what records say was called. */
export function promptNameOf(prompt: string): string {
  const at = prompt.lastIndexOf('@');
  return at < 1 ? prompt : prompt.slice(0, at);
}

/** `interrupted`: the gateway was killed while the call was under way, and found it at its next start. */
export type CallOutcome = 'ok' | 'interrupted' | ErrorKind;

/** `lost`: another attempt, made beside it, answered first; it was broken off. */
export type AttemptOutcome = CallOutcome | 'lost';

/** One upstream request made for a call. */
export interface AttemptRecord {
  target: string;
  account: string;
  /** Milliseconds after the call's start. */
  startedAfterMs: number;
  durationMs: number;
  /** The provider's HTTP status; `null` where no answer came. */
  status: number | null;
  outcome: AttemptOutcome;
  /** Why it failed, in one word: what happened to the connection (`first_byte_timeout`), or the provider's own code; absent where it did not, or the client left. */
  reason?: string;
  /**
   * What it used, and the cost of that at its own target's price, where another attempt ended the call, or its cost where that
   * is not of its target's price alone (other models, the provider's own word); absent where that was nothing.
   */
  usage?: Usage;
  costMicroUsd?: number | null;
  /** Which server it was sent to (scheme, host and port), where those of its provider are looked up; absent where it was never sent. */
  address?: string;
  /**
   * What of the request this target was told otherwise: by what the caller said, what was sent for it (another field, or a field and its
   * value, `NAME=VALUE`), or `null` where nothing was. Absent where it got all as it came.
   */
  adapted?: Record<string, string | null>;
  /** What its answer said and the caller's dialect has no word for; absent where there was nothing. */
  dropped?: string[];
}

/** Whether an attempt beside the one that ended the call used something, too, or other models did: then the parts are priced, and the whole has no one price. */
export function isPricedByAttempt({ attempts }: Pick<UsageRecord, 'attempts'>): boolean {
  for (const { usage } of attempts) if (usage !== undefined) return true;
  return false;
}
