import type { Config, ModelConfig, TargetConfig } from '../config/resolve.ts';
import { publishedRetirement, targetRetirement, type UpstreamRetirement } from './published-retirements.ts';

/** A name or a target of the configuration that is on its way out. */
export interface Retiring {
  /** `model`: the configuration takes the name away; `target`: its provider takes the model away that stands behind names. */
  kind: 'model' | 'target';
  name: string;
  /** Unix milliseconds. */
  atMs: number;
  announcedMs?: number | undefined;
  /** Of a model a model, of a target a target. */
  successor?: string | undefined;
  source: string;
  /** The models of the configuration that lead there. */
  models: string[];
}

/** Successors of successors are followed so far. */
const MOST_HOPS = 8;

/** All that is known to be on its way out of what a configuration leads to, in its order. */
export function listRetiring({ models, rollouts, providers }: Config): Retiring[] {
  const retiring = new Map<string, Retiring>();
  const add = (kind: Retiring['kind'], name: string, model: string, end: UpstreamRetirement) => {
    const known = retiring.get(`${kind} ${name}`);
    if (!known) retiring.set(`${kind} ${name}`, { kind, name, ...end, models: [model] });
    else if (!known.models.includes(model)) known.models.push(model);
  };
  const adapterOf = (provider: string) => providers[provider]?.adapter ?? provider;
  const addTarget = (target: TargetConfig, model: string) => {
    const end = targetRetirement(adapterOf(target.provider), target);
    if (end) add('target', `${target.provider}/${target.model}`, model, end);
  };
  for (const [name, model] of Object.entries(models)) {
    const { deprecated: atMs, successor } = model;
    if (atMs !== undefined) add('model', name, name, { atMs, successor, source: 'configuration' });
    for (const target of allTargets(model)) addTarget(target, name);
  }
  for (const { model, move } of Object.values(rollouts)) {
    if (model !== undefined && move) addTarget(move.candidate, model);
  }
  return [...retiring.values()];
}

function allTargets({ targets, fallbacks }: ModelConfig): TargetConfig[] {
  return [...targets, ...(fallbacks?.contextLength ?? []), ...(fallbacks?.contentPolicy ?? [])];
}

/** A model of the configuration with a target that its provider takes away, and where to move it. */
export interface Move {
  model: string;
  stable: string;
  /** A target of the same provider, not known to be taken away itself. */
  candidate: string;
  /** Unix milliseconds: when the stable one is taken away. */
  atMs: number;
}

/** Where the models of a configuration are to move whose targets are taken away before a moment; of each the first such target. */
export function listMoves({ models, providers }: Config, beforeMs: number): Move[] {
  return Object.entries(models).flatMap(([model, { targets, deprecated }]): Move[] => {
    // A name that ends has its own successor.
    if (deprecated !== undefined) return [];
    for (const target of targets) {
      const { provider, model: version } = target;
      const adapterOf = (name: string) => providers[name]?.adapter ?? name;
      const end = targetRetirement(adapterOf(provider), target);
      const candidate = end && end.atMs <= beforeMs ? lastSuccessor(end, adapterOf) : undefined;
      if (end && candidate !== undefined && Object.hasOwn(providers, providerOf(candidate)))
        return [{ model, stable: `${provider}/${version}`, candidate, atMs: end.atMs }];
    }
    return [];
  });
}

function lastSuccessor(
  { successor }: UpstreamRetirement,
  adapterOf: (provider: string) => string,
): string | undefined {
  let name = successor;
  for (let hops = 0; name !== undefined && hops < MOST_HOPS; hops++) {
    const provider = providerOf(name);
    const next = publishedRetirement(adapterOf(provider), provider, name.slice(provider.length + 1));
    if (!next) return name;
    name = next.successor;
  }
  return undefined;
}

function providerOf(target: string): string {
  return target.slice(0, target.indexOf('/'));
}
