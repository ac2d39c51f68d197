import type { Upstream } from '../upstream/upstream.ts';
import type { Lane } from './lane.ts';
import type { Route, Target } from './target.ts';

/** How many targets that no config names are remembered: their names come from callers. */
const DIRECT_TARGETS = 1_000;

/** Of a target that is named directly: what fails in passing is tried again. */
const DIRECT_RETRIES = 2;

/** However many targets and accounts there are, a call makes no more upstream requests than one and this; unless it is configured. */
const MOST_RETRIES = 7;

/** Of servers that are looked up, so many of an account may fail before the next place has its turn. */
export const MOST_SERVERS = 3;

/** Providers may read what is around a name as nothing. */
const ODD_NAME = /^\s|\s$|\p{Cc}/u;

/** Whether a name would be another's, too: a second one, on which are no limits and no price. */
function isSecondName({ declaration }: Upstream, model: string): boolean {
  // Google's own list spells its models so.
  return ODD_NAME.test(model) || (declaration.dialect === 'gemini' && model.startsWith('models/'));
}

/** Where nothing is configured: every account of every target may be tried, some servers of those that have several, and the only one again. */
export function defaultRetries(targets: Route['targets']): number {
  const places = targets.reduce(
    (sum, { account, upstream: { accounts, servers } }) =>
      sum + (account === undefined ? accounts.length : 1) * (servers?.discovery ? MOST_SERVERS : 1),
    0,
  );
  return Math.min(Math.max(places - 1, DIRECT_RETRIES), MOST_RETRIES);
}

function allTargets({ targets, fallbacks }: Route): Target[] {
  return [...targets, ...(fallbacks.contextLength ?? []), ...(fallbacks.contentPolicy ?? [])];
}

/** What is known of the end of a model at its provider, and what who names it there is told of that. */
export type DirectEnd = Pick<Target, 'retirement'> & Pick<Route, 'notice'>;

/** Public model names and what they lead to, targets in the order they are tried. Immutable but for a bounded cache. */
export class Routes {
  readonly #models: ReadonlyMap<string, Route>;
  readonly #upstreams: ReadonlyMap<string, Upstream>;
  readonly #targets: ReadonlySet<string>;
  /** Targets at accounts. */
  readonly #places: ReadonlySet<string>;
  readonly #lanesOf: (target: string, upstream: Upstream) => readonly Lane[];
  readonly #direct = new Map<string, Route>();
  /** Some provider finds the ids of files in texts. */
  readonly readsTexts: boolean;
  readonly #endOf: (upstream: Upstream, model: string) => DirectEnd;
  #hasNotices: boolean;

  /** `lanesOf`: the lanes of a target at its upstream's accounts; `endOf`: what is known of the end of a model that is named there. */
  constructor(
    models: ReadonlyMap<string, Route>,
    upstreams: ReadonlyMap<string, Upstream>,
    lanesOf: (target: string, upstream: Upstream) => readonly Lane[],
    endOf: (upstream: Upstream, model: string) => DirectEnd,
  ) {
    this.#models = models;
    this.#endOf = endOf;
    this.#hasNotices = [...models.values()].some(({ notice }) => notice !== undefined);
    const targets = [...models.values()].flatMap(allTargets);
    this.#targets = new Set(targets.map(({ name }) => name));
    this.#places = new Set(
      targets.flatMap(({ name, upstream }) => upstream.accounts.map((account) => `${name}\n${account.name}`)),
    );
    this.#upstreams = upstreams;
    this.readsTexts = [...upstreams.values()].some(
      ({ declaration }) => declaration.filesInTexts !== undefined,
    );
    this.#lanesOf = lanesOf;
  }

  /** Some of the names that were called are on their way out. */
  get hasNotices(): boolean {
    return this.#hasNotices;
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

  /** Whether a model of the configuration leads to the target at this account. */
  isPlace(target: string, account: string): boolean {
    return this.#places.has(`${target}\n${account}`);
  }

  /** The configuration's models with all their targets. */
  configured(): Iterable<readonly [string, readonly Target[]]> {
    return [...this.#models].map(([name, route]) => [name, allTargets(route)]);
  }

  /**
   * How the account of an upstream does with what is asked there beside the calls of models. No caller can name a model that has its lane:
   * behind a provider's name those have a slash.
   */
  laneBeside(what: 'files' | 'batches' | 'responses', upstream: Upstream, account: string): Lane | undefined {
    const lanes = this.#lanesOf(`${upstream.name}:${what}`, upstream);
    return lanes.find((lane) => lane.account === account);
  }

  /** What a model leads to; `undefined` where there is no such model. `provider/model` names one directly. */
  resolve(model: string): Route | undefined {
    return this.#models.get(model) ?? this.#direct.get(model) ?? this.#resolveDirect(model);
  }

  #resolveDirect(name: string): Route | undefined {
    const slash = name.indexOf('/');
    const upstream = this.#upstreams.get(name.slice(0, Math.max(slash, 0)));
    const model = name.slice(slash + 1);
    if (!upstream || model === '' || isSecondName(upstream, model)) return undefined;
    const lanes = this.#lanesOf(name, upstream);
    const { retirement, notice } = this.#endOf(upstream, model);
    const targets = [{ name, upstream, model, timeouts: upstream.timeouts, lanes, retirement }];
    const route: Route = {
      ...{ targets, strategy: 'failover', isSelective: false, fallbacks: {}, notice },
      retries: defaultRetries(targets),
    };
    if (notice) this.#hasNotices = true;
    if (this.#direct.size >= DIRECT_TARGETS) this.#direct.clear();
    this.#direct.set(name, route);
    return route;
  }
}
