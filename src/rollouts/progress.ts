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
  const step = plan.steps[progress.step];
  const isHeld = progress.heldMs + nowMs - progress.since >= (step?.holdMs ?? 0);
  if (!isHeld || calls - progress.callsBefore < plan.minCalls) return progress;
  const next = progress.step + 1;
  if (next >= plan.steps.length) return afterCommand('promote', progress, nowMs, calls);
  return { phase: phaseOf(next), step: next, since: nowMs, heldMs: 0, callsBefore: calls };
}

/** The percentage of users who have the candidate. */
export function weightOf({ steps }: Pick<Plan, 'steps'>, { phase, step }: Progress): number {
  switch (phase) {
    case 'draft':
    case 'rolled_back':
      return 0;
    case 'promoted':
      return 100;
    default:
      return steps[step]?.weight ?? 0;
  }
}

function phaseOf(step: number): Phase {
  return step === 0 ? 'canary' : 'stepping';
}
