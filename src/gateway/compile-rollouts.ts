import { createHash } from 'node:crypto';
import { asNoted, ownPlace } from '../config/release.ts';
import type { Config, RolloutConfig, TargetConfig } from '../config/resolve.ts';
import type { Side } from '../rollouts/comparisons.ts';
import type { Plan } from '../rollouts/progress.ts';
import type { Moved, Rollout, RolloutBook, RolloutSpec } from '../rollouts/rollout-book.ts';
import { defaultRetries } from '../routing/resolve-targets.ts';
import type { Route, Target } from '../routing/target.ts';
import { mostUnsaidOutput } from './bound-call.ts';
import type { ModelRollout } from './choose-side.ts';

const MINUTE = 60_000;

/** Where nothing is said: a few users for a while, then more, then half of them. */
const STEPS: Plan['steps'] = [
  { weight: 1, holdMs: 10 * MINUTE },
  { weight: 10, holdMs: 30 * MINUTE },
  { weight: 50, holdMs: 60 * MINUTE },
];

const MIN_CALLS = 50;

/** Of copies, where nothing is said. */
const MAX_COPIES = 10;

/** The rollouts of models, by the model that each moves. */
export function compileRollouts(
  { rollouts, models }: Config,
  routeOf: (model: string) => Route | undefined,
  compileTarget: (target: TargetConfig) => Target,
  book: RolloutBook,
): Map<string, ModelRollout> {
  const compiled = new Map<string, ModelRollout>();
  for (const [name, rollout] of Object.entries(rollouts)) {
    const { model, move } = rollout;
    const route = model === undefined ? undefined : routeOf(model);
    if (model === undefined || !move || !route) continue;
    const candidate = compileTarget(move.candidate);
    const { stable: ofStable, candidate: ofCandidate } = move;
    const releases = { stable: ofStable.release, candidate: ofCandidate.release };
    const found = book.find(specOf(name, { model }, model, rollout, releases));
    const stable = () => compileTarget(asNoted(move.stable, found.origin?.stable.release));
    const ownPlaces = () =>
      (found.origin?.ownPlaces ?? []).map(({ at, target }) => ({
        at,
        target: compileTarget(ownPlace(move.candidate, target)),
      }));
    const { retries } = models[model] ?? {};
    compiled.set(model, {
      ...{
        rollout: found,
        candidate,
        stable: placeOf(move.stable),
        route: candidateRoute(route, candidate, placeOf(move.stable)),
      },
      wayBack: move.isMoved
        ? once(() => routesBefore(route, retries, candidate, stable(), ownPlaces()))
        : undefined,
    });
  }
  return compiled;
}

/** Where `NAME` alone leads. */
const PRODUCTION = 'production';

/** The rollouts of prompts, by the prompt that each moves. */
export function compilePromptRollouts({ rollouts }: Config, book: RolloutBook): Map<string, PromptRollout> {
  const compiled = new Map<string, PromptRollout>();
  for (const [name, rollout] of Object.entries(rollouts)) {
    const { prompt, label = PRODUCTION, stable, candidate } = rollout;
    if (prompt === undefined) continue;
    const version = (side: RolloutConfig['stable']) => ({ version: `${prompt}@${String(side)}` });
    const moves = { prompt, label };
    const releases = { stable: version(stable), candidate: version(candidate) };
    compiled.set(prompt, { label, rollout: book.find(specOf(name, moves, moves, rollout, releases)) });
  }
  return compiled;
}

/** A rollout of a prompt: the calls that it is about come by a label. */
export interface PromptRollout {
  rollout: Rollout;
  label: string;
}

type Place = Pick<Target, 'name' | 'account'>;

function placeOf({ provider, model, account }: TargetConfig): Place {
  return { name: `${provider}/${model}`, account };
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** @param retries as the configuration says it */
function routesBefore(
  route: Route,
  retries: number | undefined,
  candidate: Target,
  stable: Target,
  ownPlaces: readonly { at: number; target: Target }[],
): Record<Side, Route> {
  const targets = route.targets.map((target) => (isSame(target, candidate) ? stable : target));
  for (const { at, target } of ownPlaces)
    if (!targets.some((other) => isSame(other, target))) targets.splice(at, 0, target);
  const before = {
    ...{ ...route, targets, isSelective: true, unsaidOutput: unsaidOutputOf(route, targets) },
    retries: retries ?? defaultRetries(targets),
  };
  return { stable: before, candidate: candidateRoute(before, candidate, stable) };
}

function unsaidOutputOf({ fallbacks }: Route, targets: readonly Target[]): number | undefined {
  const { contextLength = [], contentPolicy = [] } = fallbacks;
  return mostUnsaidOutput([...targets, ...contextLength, ...contentPolicy]);
}

function isSame(a: Place, b: Place): boolean {
  return a.name === b.name && a.account === b.account;
}

/** A failing candidate costs its callers nothing but time: behind it stands all that the model has. */
function candidateRoute(route: Route, candidate: Target, stable: Place): Route {
  // A candidate may be the stable target with other parameters.
  const others = route.targets.filter((target) => !isSame(target, candidate) || isSame(target, stable));
  const targets = [candidate, ...others];
  // What the candidate may cost comes on top of what the model has for itself.
  const retries = Math.max(route.retries + candidate.upstream.accounts.length, defaultRetries(targets));
  const unsaidOutput = unsaidOutputOf(route, targets);
  return { ...route, targets, strategy: 'failover', isSelective: true, retries, unsaidOutput };
}

/** `identity`: what moves, in what tells whether it is another rollout by now. */
function specOf(
  name: string,
  moves: Moved,
  identity: string | Moved,
  rollout: RolloutConfig,
  releases: Pick<RolloutSpec, Side>,
): RolloutSpec {
  const {
    stable,
    candidate,
    approval = 'none',
    steps,
    gates = {},
    cohort = {},
    shadow,
    onFail = 'rollback',
  } = rollout;
  const copies = shadow && shadow.share > 0 ? shadow : undefined;
  const terms = {
    ...{ cohort, gates },
    plan: {
      steps: steps?.map(({ weight, hold }) => ({ weight, holdMs: hold })) ?? STEPS,
      ...{ onFail, minCalls: gates.minCalls ?? MIN_CALLS },
      shadow: copies && { holdMs: copies.hold ?? 0 },
    },
    shadow: copies && { share: copies.share, maxConcurrentCalls: copies.maxConcurrentCalls ?? MAX_COPIES },
  };
  return {
    ...{ name, moves, ...releases, ...terms, approval },
    ...{ release: JSON.stringify([identity, stable, candidate]), terms: hashTerms(terms) },
  };
}

function hashTerms(terms: Pick<RolloutSpec, 'cohort' | 'gates' | 'plan' | 'shadow'>): string {
  return createHash('sha256').update(JSON.stringify(terms)).digest('hex');
}
