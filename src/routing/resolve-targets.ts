import type { Upstream } from '../upstream/upstream.ts';
import type { Target } from './target.ts';

/** How many targets that no config names are remembered: their names come from callers. */
const DIRECT_TARGETS = 1_000;

/** Public model names and the targets they resolve to, in the order they are tried. Immutable but for a bounded cache. */
export class Routes {
  readonly #models: ReadonlyMap<string, readonly Target[]>;
  readonly #upstreams: ReadonlyMap<string, Upstream>;
  readonly #targets: ReadonlySet<string>;
  readonly #direct = new Map<string, readonly Target[]>();

  constructor(models: ReadonlyMap<string, readonly Target[]>, upstreams: ReadonlyMap<string, Upstream>) {
    this.#models = models;
    this.#targets = new Set([...models.values()].flatMap((targets) => targets.map(({ name }) => name)));
    this.#upstreams = upstreams;
  }

  /** The configured names, in the order of the config, then what the built-in providers always have. */
  modelNames(): string[] {
    const builtIn = [...this.#upstreams.values()].flatMap(({ name, declaration }) =>
      (declaration.models ?? []).map((model) => `${name}/${model}`),
    );
    return [...this.#models.keys(), ...builtIn];
  }

  /** The providers that are set up. */
  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.#upstreams;
  }

  /** Whether the name is one of the configuration's models, and no `provider/model` that a caller made. */
  isConfigured(model: string): boolean {
    return this.#models.has(model);
  }

  /** Whether a model of the configuration leads to the target: no caller has made up its name. */
  isTarget(name: string): boolean {
    return this.#targets.has(name);
  }

  /** The configuration's models with their targets. */
  configured(): Iterable<readonly [string, readonly Target[]]> {
    return this.#models;
  }

  /** The targets of a model; `undefined` where there is no such model. `provider/model` names one directly. */
  resolve(model: string): readonly Target[] | undefined {
    return this.#models.get(model) ?? this.#direct.get(model) ?? this.#resolveDirect(model);
  }

  #resolveDirect(name: string): readonly Target[] | undefined {
    const slash = name.indexOf('/');
    const upstream = this.#upstreams.get(name.slice(0, Math.max(slash, 0)));
    const model = name.slice(slash + 1);
    if (!upstream || model === '') return undefined;
    const targets = [{ name, upstream, model, timeouts: upstream.timeouts }];
    if (this.#direct.size >= DIRECT_TARGETS) this.#direct.clear();
    this.#direct.set(name, targets);
    return targets;
  }
}
