import type { Failure } from './evidence.ts';

/** The way of a rollout: what the config says of it. */
export interface Plan {
  steps: readonly Step[];
  onFail: 'rollback' | 'pause';
  /** Calls of the candidate that a step needs at the least before it is done. */
  minCalls: number;
  /** Copies come before the first step, so long at the least; absent where none are made. */
  shadow?: { holdMs: number } | undefined;
}

export interface Step {
  /** Percentage of users on the candidate. */
  weight: number;
  holdMs: number;
}

/** `shadow`: copies alone, before the first step; `canary`: the first step; `stepping`: a later one. */
export type Phase = 'draft' | 'shadow' | 'canary' | 'stepping' | 'paused' | 'promoted' | 'rolled_back';

/** Where a rollout stands. Immutable: a transition makes another. */
export interface Progress {
  phase: Phase;
  /** The place among the steps, from 0, or `SHADOW_STEP`; it stays where the rollout was paused or ended. */
  step: number;
  /** Unix milliseconds: when the step began, or went on after a pause. */
  since: number;
  /** How long the step had been held before the last pause. */
  heldMs: number;
  /** The candidate's calls when the step began. */
  callsBefore: number;
}

/** What comes before the first step. */
export const SHADOW_STEP = -1;

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
  pause: ['shadow', 'canary', 'stepping'],
  resume: ['paused'],
  promote: ['shadow', 'canary', 'stepping', 'paused'],
  // Also the way back after a promotion, as long as the model still has its stable target here.
  rollback: ['shadow', 'canary', 'stepping', 'paused', 'promoted'],
};

export function mayDo(command: Command, { phase }: Pick<Progress, 'phase'>): boolean {
  return ALLOWED[command].includes(phase);
}

/** @param calls the candidate's, so far */
export function afterCommand(
  command: Command,
  progress: Progress,
  nowMs: number,
  calls: number,
  { shadow }: Pick<Plan, 'shadow'> = {},
): Progress {
  if (!mayDo(command, progress)) throw new RangeError(`'${command}' leads nowhere from '${progress.phase}'`);
  const held = progress.heldMs + Math.max(0, nowMs - progress.since);
  switch (command) {
    case 'start':
      return beginStep(shadow ? SHADOW_STEP : 0, nowMs, calls);
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

/** Whether only copies go to the candidate, or did when it was paused. */
export function isBeforeSteps({ phase, step }: Pick<Progress, 'phase' | 'step'>): boolean {
  return step === SHADOW_STEP && !isOver({ phase });
}

/** Whether anything is watched and moved on by itself. */
export function isUnderWay({ phase }: Pick<Progress, 'phase'>): boolean {
  return phase === 'shadow' || phase === 'canary' || phase === 'stepping';
}

export function isOver({ phase }: Pick<Progress, 'phase'>): boolean {
  return phase === 'promoted' || phase === 'rolled_back';
}

/** Whether what its calls come to is learned. Of one that has ended nobody asks any more. */
export function isWatched(progress: Pick<Progress, 'phase'>): boolean {
  return isUnderWay(progress) || progress.phase === 'paused';
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
  return beginStep(progress.step + 1, nowMs, calls);
}

function beginStep(step: number, nowMs: number, calls: number): Progress {
  return { phase: phaseOf(step), step, since: nowMs, heldMs: 0, callsBefore: calls };
}

/** Whether nothing is left to do but to promote it. */
export function isThrough(plan: Plan, progress: Progress, at: { nowMs: number; calls: number }): boolean {
  return isLastStep(plan, progress) && isStepDone(plan, progress, at);
}

function isLastStep({ steps }: Plan, { step }: Progress): boolean {
  return step + 1 >= steps.length;
}

/** Whether a step was held for its time and has had its calls. */
export function isStepDone(plan: Plan, progress: Progress, at: { nowMs: number; calls: number }): boolean {
  if (!isUnderWay(progress)) return false;
  return overheldMs(plan, progress, at.nowMs) >= 0 && missingCalls(plan, progress, at.calls) <= 0;
}

/** For how much longer than it is to be held a step has been. */
function overheldMs(plan: Plan, progress: Progress, nowMs: number): number {
  return progress.heldMs + nowMs - progress.since - holdMsOf(plan, progress);
}

function holdMsOf(plan: Plan, progress: Progress): number {
  return ((isBeforeSteps(progress) ? plan.shadow : stepAt(plan, progress)) ?? { holdMs: 0 }).holdMs;
}

/** How many calls the candidate still needs for a step to be done. */
function missingCalls(plan: Plan, progress: Progress, calls: number): number {
  // Of one whose copies were taken out of the configuration no more come.
  const least = isBeforeSteps(progress) && !plan.shadow ? 0 : plan.minCalls;
  return least - (calls - progress.callsBefore);
}

/** Nobody is told sooner of a step that lacks nothing but calls, than after this. */
const LEAST_WAIT_MS = 1_000;
/** Nor later. */
const LONGEST_WAIT_MS = 3_600_000;

/** Whether a step lacks nothing but calls, and has waited for them as long again as it was to be held. */
export function isShortOfCalls(
  plan: Plan,
  progress: Progress,
  at: { nowMs: number; calls: number },
): boolean {
  if (!isUnderWay(progress) || missingCalls(plan, progress, at.calls) <= 0) return false;
  const patienceMs = Math.min(Math.max(holdMsOf(plan, progress), LEAST_WAIT_MS), LONGEST_WAIT_MS);
  return overheldMs(plan, progress, at.nowMs) >= patienceMs;
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
  if (step === SHADOW_STEP) return 'shadow';
  return step === 0 ? 'canary' : 'stepping';
}
