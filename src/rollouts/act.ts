import { type ApprovalRequest, needsApproval } from './approval.ts';
import {
  afterCommand,
  type Command,
  DRAFT,
  isOver,
  isUnderWay,
  mayDo,
  type Plan,
  type Progress,
} from './progress.ts';
import type { Moved, RolloutSpec } from './rollout-book.ts';
import type { Reason, StoredRollout } from './rollout-store.ts';

/** What somebody may do to a rollout. */
export type Action = Command | 'approve' | 'reject';

/** What is done does not fit where the rollout stands, or is not this person's to do. */
export class RolloutRefusal extends Error {
  readonly code:
    | 'rollout_phase'
    | 'approval_pending'
    | 'nothing_to_approve'
    | 'own_request'
    | 'prompt_version';

  /** `message`: a whole sentence without its subject, the rollout. */
  constructor(code: RolloutRefusal['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface Outcome {
  progress: Progress;
  approval: ApprovalRequest | undefined;
  reason: Reason | undefined;
  /** It begins anew: by whom, and who agreed. */
  begins?: Reason;
  /** What became of a request. */
  told?: { what: 'requested' | 'approved' | 'rejected'; request: ApprovalRequest };
}

export interface Deed {
  action: Action;
  /** The name of an admin key. */
  by: string;
  nowMs: number;
  /** The candidate's calls, so far. */
  calls: number;
}

/**
 * What comes of a deed.
 *
 * @param stored what the store says of the rollout, with what still waits; `undefined` where it is a draft
 * @throws RolloutRefusal
 */
export function act(
  { approval: setting, plan, moves, terms }: Pick<RolloutSpec, 'approval' | 'plan' | 'moves' | 'terms'>,
  stored: StoredRollout | undefined,
  done: Deed,
): Outcome {
  const deed: PlannedDeed = { ...done, plan };
  const { action, by, nowMs } = deed;
  const progress = stored?.progress ?? DRAFT;
  const pending = stored?.approval;
  const from = mayBeginAnew(moves, progress) ? DRAFT : progress;
  if (action === 'approve' || action === 'reject') {
    if (!pending) throw new RolloutRefusal('nothing_to_approve', NOTHING_ASKED);
    if (action === 'reject') return reject(progress, stored, pending, deed);
    return approve(pending.wants === 'start' ? from : progress, pending, deed);
  }
  const begins = action === 'start';
  if (!mayDo(action, begins ? from : progress))
    throw new RolloutRefusal('rollout_phase', `cannot ${action}: it is ${progress.phase.replace('_', ' ')}`);
  if ((action === 'start' || action === 'promote') && needsApproval(setting, action)) {
    if (pending?.wants === action) {
      const since = new Date(pending.at).toISOString();
      throw new RolloutRefusal('approval_pending', `waits for an approval to ${action} since ${since}`);
    }
    const request = { wants: action, by, at: nowMs, terms };
    return { progress, approval: request, reason: stored?.reason, told: { what: 'requested', request } };
  }
  return move(action, begins ? from : progress, pending, { by }, deed);
}

const NOTHING_ASKED =
  'waits for no approval: nothing was asked, or the rollout was changed since, and it is to be asked anew';

/** A label that was moved may be moved again: what its sides name are other versions by then. */
function mayBeginAnew(moves: Moved, { phase }: Progress): boolean {
  return phase === 'promoted' && 'prompt' in moves;
}

interface PlannedDeed extends Deed {
  plan: Plan;
}

function approve(progress: Progress, request: ApprovalRequest, deed: PlannedDeed): Outcome {
  const { wants, by: asker } = request;
  if (asker === deed.by)
    throw new RolloutRefusal('own_request', `was asked to ${wants} by you: somebody else must approve that`);
  const moved = move(wants, progress, undefined, { by: asker, approvedBy: deed.by }, deed);
  return { ...moved, told: { what: 'approved', request } };
}

/** Whoever asked may take it back so. What waits to be promoted would ask again at once: it is held for somebody to decide. */
function reject(
  progress: Progress,
  stored: StoredRollout | undefined,
  request: ApprovalRequest,
  deed: PlannedDeed,
): Outcome {
  const isHeld = request.wants === 'promote' && isUnderWay(progress);
  const told = { what: 'rejected', request } as const;
  if (!isHeld) return { progress, approval: undefined, reason: stored?.reason, told };
  return { ...move('pause', progress, undefined, { by: deed.by }, deed), told };
}

function move(
  command: Command,
  progress: Progress,
  pending: ApprovalRequest | undefined,
  reason: Reason,
  { nowMs, calls, plan }: PlannedDeed,
): Outcome {
  const begins = command === 'start';
  const after = afterCommand(command, progress, nowMs, begins ? 0 : calls, plan);
  return {
    ...{ progress: after, reason, approval: begins || isOver(after) ? undefined : pending },
    ...(begins && { begins: reason }),
  };
}
