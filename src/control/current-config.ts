import type { LoadedConfig } from '../config/load.ts';
import { ConfigError, type ConfigProblem, formatProblem } from '../config/problem.ts';
import type { Config } from '../config/resolve.ts';
import { type BuildContext, type BuiltConfig, buildConfig, nameOwner } from './build-config.ts';
import { type Change, invertChange } from './change.ts';
import type { ControlNews } from './control-news.ts';
import type { OwnedEntry } from './entry.ts';
import { type Conflict, Layers } from './layers.ts';
import type { Vault } from './veil.ts';

export interface CurrentConfigOptions {
  loaded: LoadedConfig;
  /** Knows what the file writes out, which is in no revision. */
  vault: Vault;
  /** Unix milliseconds. */
  now: () => number;
  /** Compiles a config and gives what puts it in force. Throws where it cannot be compiled; then nothing has changed. */
  compile(config: Config): () => Promise<void>;
  news: Pick<ControlNews, 'tellOfIdle'>;
}

/** A configuration that was found to be valid, and is not in force yet. */
export interface Tried extends BuiltConfig {
  putInForce: () => Promise<void>;
}

/**
 * Why changes are tried out: `asked`: somebody wants them, and is told what is wrong; `given`: they are of a file, a
 * restore or another instance; `start`: they are, and every tenant is looked at, not only those that they are of.
 */
export type Cause = 'asked' | 'given' | 'start';

/** The configuration in force: its entries, what they come to, and the number of its revision. */
export class CurrentConfig {
  readonly #options: CurrentConfigOptions;
  #layers = new Layers();
  #config: Config;
  #revision = 0;
  /** What is in force and does nothing, as far as it was told. */
  #idle = new Set<string>();

  constructor(options: CurrentConfigOptions) {
    this.#options = options;
    this.#config = options.loaded.config;
  }

  get layers(): Layers {
    return this.#layers;
  }

  get config(): Config {
    return this.#config;
  }

  /** 0 before the first is in force. */
  get revision(): number {
    return this.#revision;
  }

  /** What a configuration is built with now. */
  get context(): BuildContext {
    const { loaded, vault, now } = this.#options;
    return { loaded, vault, now: now() };
  }

  /** Begins with what the store has, of the revision `number`; what it comes to is not known yet. */
  load(entries: Iterable<OwnedEntry>, number: number): void {
    this.#layers = new Layers(entries);
    this.#revision = number;
  }

  /**
   * Makes the changes, validates and compiles.
   *
   * @throws ConfigError where they would not be valid; then they are taken back
   */
  tryOut(changes: readonly Change[], cause: Cause): Tried {
    const conflicts = this.#layers.apply(changes);
    if (conflicts.length > 0) throw new ConfigError(conflicts.map((conflict) => this.#describe(conflict)));
    try {
      return this.#buildAndCompile(changes, cause);
    } catch (error) {
      this.takeBack(changes);
      throw error;
    }
  }

  /** Undoes changes that were tried out and are not to be in force. */
  takeBack(changes: readonly Change[]): void {
    this.#layers.apply(changes.map(invertChange));
  }

  async enforce({ config, putInForce, idle, isWhole }: Tried, revision: number): Promise<void> {
    await putInForce();
    this.#config = config;
    this.#revision = revision;
    const now = new Set(idle.map(formatProblem));
    const untold = now.difference(this.#idle);
    this.#idle = isWhole ? now : this.#idle.union(now);
    if (untold.size > 0) this.#options.news.tellOfIdle([...untold]);
  }

  /** Compiles what is in force once more: what it is compiled with has changed. */
  async recompile(): Promise<void> {
    await this.#options.compile(this.#config)();
  }

  #buildAndCompile(changed: readonly Change[], cause: Cause): Tried {
    const { compile } = this.#options;
    const since = { config: this.#config, changed, isAsked: cause === 'asked' };
    const built = buildConfig(this.#layers, this.context, cause === 'start' ? undefined : since);
    try {
      return { ...built, putInForce: compile(built.config) };
    } catch (error) {
      // Two keys with one secret are found only where all keys come together.
      if (!(error instanceof Error) || error instanceof ConfigError) throw error;
      throw new ConfigError([{ file: 'configuration', path: '', message: error.message }]);
    }
  }

  #describe({ kind, name, owner, wantedBy }: Conflict): ConfigProblem {
    const { loaded } = this.#options;
    const [has, wants] = [nameOwner(owner, loaded), nameOwner(wantedBy, loaded)];
    const path = kind === 'settings' ? name : kind === 'keys' ? `keys.${name}` : `${kind}.${name}`;
    return {
      file: wants,
      path,
      message: `is declared by both: ${has} has it already, and ${wants} wants it`,
    };
  }
}
