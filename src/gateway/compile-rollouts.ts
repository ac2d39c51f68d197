import type { Config, RolloutConfig, TargetConfig } from '../config/resolve.ts';
import type { Plan } from '../rollouts/progress.ts';
import type { RolloutBook, RolloutSpec } from '../rollouts/rollout-book.ts';
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
  { rollouts }: Config,
  routeOf: (model: string) => Route | undefined,
  compileTarget: (target: TargetConfig) => Target,
  book: RolloutBook,
): Map<string, ModelRollout> {
  const compiled = new Map<string, ModelRollout>();
  for (const [name, rollout] of Object.entries(rollouts)) {
    const { model, candidateTarget } = rollout;
    const route = model === undefined ? undefined : routeOf(model);
    if (model === undefined || !candidateTarget || !route) continue;
    const candidate = compileTarget(candidateTarget);
    compiled.set(model, {
      rollout: book.find(specOf(name, model, rollout)),
      route: candidateRoute(route, candidate),
    });
  }
  return compiled;
}

/** A failing candidate costs its callers nothing but time: behind it stands all that the model has. */
function candidateRoute(route: Route, candidate: Target): Route {
  const targets = [candidate, ...route.targets.filter(({ name }) => name !== candidate.name)];
  const retries = Math.max(route.retries, defaultRetries(targets));
  const { contextLength = [], contentPolicy = [] } = route.fallbacks;
  const unsaidOutput = mostUnsaidOutput([...targets, ...contextLength, ...contentPolicy]);
  return { ...route, targets, strategy: 'failover', isSelective: true, retries, unsaidOutput };
}

function specOf(name: string, model: string, rollout: RolloutConfig): RolloutSpec {
  const { stable, candidate, steps, gates = {}, cohort = {}, shadow, onFail = 'rollback' } = rollout;
  const copies = shadow && shadow.share > 0 ? shadow : undefined;
  return {
    ...{ name, model, cohort, gates, release: JSON.stringify([model, stable, candidate]) },
    plan: {
      steps: steps?.map(({ weight, hold }) => ({ weight, holdMs: hold })) ?? STEPS,
      ...{ onFail, minCalls: gates.minCalls ?? MIN_CALLS },
      shadow: copies && { holdMs: copies.hold ?? 0 },
    },
    shadow: copies && { share: copies.share, maxConcurrentCalls: copies.maxConcurrentCalls ?? MAX_COPIES },
  };
}
