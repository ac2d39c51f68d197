import type { Failure } from './gates.ts';

/** The way of a rollout: what the config says of it. */
export interface Plan {
  steps: readonly Step[];
  onFail: 'rollback' | 'pause';
  /** Calls of the candidate that a step needs at the least before it is done. */
  minCalls: number;
}

export interface Step {
  /** Percentage of users on the candidate. */
  weight: number;
  holdMs: number;
}

/** `canary`: the first step; `stepping`: a later one. */
export type Phase = 'draft' | 'canary' | 'stepping' | 'paused' | 'promoted' | 'rolled_back';

/** Where a rollout stands. Immutable: a transition makes another. */
export interface Progress {
  phase: Phase;
  /** The place among the steps, from 0; it stays where the rollout was paused or ended. */
  step: number;
  /** Unix milliseconds: when the step began, or went on after a pause. */
  since: number;
  /** How long the step had been held before the last pause. */
  heldMs: number;
  /** The candidate's calls when the step began. */
  callsBefore: number;
}

/** What may be done to a rollout by hand. */
export const COMMANDS = ['start', 'pause', 'resume', 'promote', 'rollback'] as const;
export type Command = (typeof COMMANDS)[number];

export const DRAFT: Progress = Object.freeze({
  phase: 'draft',
  step: 0,
  since: 0,
  heldMs: 0,
  callsBefore: 0,
});

/** From which phases a command leads on. */
const ALLOWED: Readonly<Record<Command, readonly Phase[]>> = {
  start: ['draft', 'rolled_back'],
  pause: ['canary', 'stepping'],
  resume: ['paused'],
  promote: ['canary', 'stepping', 'paused'],
  // Also the way back after a promotion, as long as the model still has its stable target here.
  rollback: ['canary', 'stepping', 'paused', 'promoted'],
};

export function mayDo(command: Command, { phase }: Pick<Progress, 'phase'>): boolean {
  return ALLOWED[command].includes(phase);
}

/** @param calls the candidate's, so far */
export function afterCommand(command: Command, progress: Progress, nowMs: number, calls: number): Progress {
  if (!mayDo(command, progress)) throw new RangeError(`'${command}' leads nowhere from '${progress.phase}'`);
  const held = progress.heldMs + Math.max(0, nowMs - progress.since);
  switch (command) {
    case 'start':
      return { phase: 'canary', step: 0, since: nowMs, heldMs: 0, callsBefore: calls };
    case 'pause':
      return { ...progress, phase: 'paused', since: nowMs, heldMs: held };
    case 'resume':
      return { ...progress, phase: phaseOf(progress.step), since: nowMs };
    case 'promote':
      return { ...progress, phase: 'promoted', since: nowMs };
    case 'rollback':
      return { ...progress, phase: 'rolled_back', since: nowMs };
  }
}

/** Whether anything is watched and moved on by itself. */
export function isUnderWay({ phase }: Pick<Progress, 'phase'>): boolean {
  return phase === 'canary' || phase === 'stepping';
}

export function isOver({ phase }: Pick<Progress, 'phase'>): boolean {
  return phase === 'promoted' || phase === 'rolled_back';
}

/** Whether what its calls come to is learned. Of one that has ended nobody asks any more. */
export function isWatched({ phase }: Pick<Progress, 'phase'>): boolean {
  return phase === 'canary' || phase === 'stepping' || phase === 'paused';
}

/**
 * Where the rollout stands after a look at it; the same object where nothing changes.
 *
 * @param calls the candidate's, so far
 */
export function advance(
  plan: Plan,
  progress: Progress,
  { nowMs, calls, failure }: { nowMs: number; calls: number; failure: Failure | undefined },
): Progress {
  if (!isUnderWay(progress)) return progress;
  if (failure) return afterCommand(plan.onFail === 'pause' ? 'pause' : 'rollback', progress, nowMs, calls);
  if (!isStepDone(plan, progress, { nowMs, calls })) return progress;
  if (isLastStep(plan, progress)) return afterCommand('promote', progress, nowMs, calls);
  const next = progress.step + 1;
  return { phase: phaseOf(next), step: next, since: nowMs, heldMs: 0, callsBefore: calls };
}

/** Whether nothing is left to do but to promote it. */
export function isThrough(plan: Plan, progress: Progress, at: { nowMs: number; calls: number }): boolean {
  return isUnderWay(progress) && isLastStep(plan, progress) && isStepDone(plan, progress, at);
}

function isLastStep({ steps }: Plan, { step }: Progress): boolean {
  return step + 1 >= steps.length;
}

function isStepDone(plan: Plan, progress: Progress, { nowMs, calls }: { nowMs: number; calls: number }) {
  const isHeld = progress.heldMs + nowMs - progress.since >= (stepAt(plan, progress)?.holdMs ?? 0);
  return isHeld && calls - progress.callsBefore >= plan.minCalls;
}

/** Where the plan was made shorter meanwhile, the last one. */
function stepAt({ steps }: Pick<Plan, 'steps'>, { step }: Pick<Progress, 'step'>): Step | undefined {
  return steps[Math.min(step, steps.length - 1)];
}

/** The percentage of users who have the candidate. */
export function weightOf(plan: Pick<Plan, 'steps'>, progress: Progress): number {
  switch (progress.phase) {
    case 'draft':
    case 'rolled_back':
      return 0;
    case 'promoted':
      return 100;
    default:
      return stepAt(plan, progress)?.weight ?? 0;
  }
}

function phaseOf(step: number): Phase {
  return step === 0 ? 'canary' : 'stepping';
}
