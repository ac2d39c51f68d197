import type { Completion } from '../conversation/completion.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { Rollout } from '../rollouts/rollout-book.ts';
import type { AttemptRecord } from '../usage/record.ts';
import type { RolloutFlag } from '../usage/rollout-note.ts';
import type { Prepare } from './answer-kept.ts';
import type { Call } from './call.ts';
import type { Door } from './door.ts';
import { REGION_NOT_ALLOWED } from './regions.ts';
import type { Caller } from './snapshot.ts';

/** What a version of a prompt makes of a call. */
export interface PromptRequest {
  door: Door;
  body: Buffer;
  caller: Caller;
  /** Where the prompt's answers are kept. */
  prepare?: Prepare | undefined;
}

/** Of a call whose prompt is in a rollout. */
export interface PromptSide {
  rollout: Rollout;
  /** Of a call that the candidate's version is to answer: what the stable one makes of it, for where that one does not. */
  stable?: (() => Promise<PromptRequest>) | undefined;
  /** Of a call of the stable: what the candidate's version makes of it, for a copy. */
  candidate?: (() => Promise<CopiedPrompt>) | undefined;
  isCopy?: true;
  /** How many attempts had been made when the candidate's version was given up, and the stable went on. */
  givenUpAfter?: number;
  /** The answer, once it is whole, before it becomes the prompt's output. */
  said?: Completion | undefined;
}

/** A call of the candidate's version that no client sees. */
export interface CopiedPrompt extends PromptRequest {
  side: PromptSide;
  /** The public name of the model that it calls. */
  model: string;
  /** The version does not take what the call asks of it: no model is asked. */
  refusal?: GatewayError | undefined;
}

/** What a call is refused for whatever the version of its prompt is. */
const OF_CALLERS: ReadonlySet<GatewayError['kind']> = new Set([
  ...(['unauthenticated', 'forbidden', 'rate_limited', 'budget_exceeded'] as const),
  ...(['payload_too_large', 'overloaded', 'cancelled'] as const),
]);

/** Whether the stable version is to answer what the candidate's did not: nothing of it has reached the client, and it is not the caller's own matter. */
export function mayStandIn({ rollout, committed }: Call, thrown: unknown): boolean {
  if (!rollout?.ofPrompt?.stable || committed) return false;
  if (!(thrown instanceof GatewayError)) return false;
  return thrown.code === REGION_NOT_ALLOWED || !OF_CALLERS.has(thrown.kind);
}

/** What a call tells of the rollout of its prompt. */
export function flagsOfPrompt(
  { attempts }: Pick<Call, 'attempts'>,
  { isCopy, givenUpAfter }: PromptSide,
  outcome: string,
): RolloutFlag[] {
  const copied: RolloutFlag[] = isCopy ? ['copied'] : [];
  const isGivenUp = givenUpAfter !== undefined;
  if (outcome === 'ok' && !isGivenUp) return copied;
  const last = attempts.slice(0, givenUpAfter).at(-1);
  if (isCopy) return outcome === 'cancelled' ? ['copied', 'unsaid'] : ['copied', 'failed', ...flagsOf(last)];
  if (attempts.length === 0) return ['unsaid'];
  if (outcome === 'cancelled') return ['left'];
  // What the stable version could not have answered either, or is refused as it is, is no version's fault.
  const isNobodys = outcome !== 'ok' && (isGivenUp || last?.outcome === 'upstream_rejected');
  if (isNobodys) return isGivenUp ? ['unsaid', 'next_failed'] : ['unsaid'];
  return ['failed', ...(isGivenUp ? (['stood_in'] as const) : []), ...flagsOf(last)];
}

function flagsOf(last: AttemptRecord | undefined): RolloutFlag[] {
  if (last?.outcome === 'upstream_timeout') return ['timed_out'];
  if (last?.reason === 'invalid_output') return ['output_judged', 'output_invalid'];
  return last?.reason === 'refused' ? ['read', 'refused'] : [];
}
