import type { JsonObject } from '../conversation/json.ts';
import type { ReleaseStore } from './release-store.ts';

export interface StandingReleases {
  /** The configuration in force: another one is another object. */
  config: object;
  revision: number;
  /** By model, what it stands on. */
  releases: Iterable<readonly [model: string, release: JsonObject]>;
}

/** Gives every release that models stand on its number. */
export class ReleaseLog {
  readonly #store: Pick<ReleaseStore, 'numberOf'>;
  readonly #standing: () => StandingReleases;
  #noted: object | undefined;

  constructor(store: Pick<ReleaseStore, 'numberOf'>, standing: () => StandingReleases) {
    this.#store = store;
    this.#standing = standing;
  }

  /** Once for each configuration; again where the store did not take it. */
  async note(): Promise<void> {
    const { config, revision, releases } = this.#standing();
    if (config === this.#noted) return;
    for (const [model, release] of releases) await this.#store.numberOf(model, release, revision);
    this.#noted = config;
  }
}
