import type { NewestEnds, TenantEnds } from '../tenants/tenant-ends.ts';
import type { Behind } from './behind.ts';
import { type Change, changesFrom, diffEntries, foldChanges, tenantsOf } from './change.ts';
import type { ControlNews } from './control-news.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Owner } from './entry.ts';
import type { RevisionStore } from './revision-store.ts';
import { takeAway } from './taken-away.ts';

export interface FollowerOptions {
  current: CurrentConfig;
  revisions: RevisionStore;
  tenantEnds: TenantEnds;
  news: ControlNews;
  /** Unix milliseconds. */
  now(): number;
}

/** What the store has that is not in force here. */
export interface Newer {
  revision: number;
  /** What brings the entries, as they are here, to those of the revision. */
  changes: readonly Change[];
  /** Of the tenants that the changes are of. */
  ends: NewestEnds;
}

/** How long a revision that was refused here is not tried again: it takes as long as any change, and will be refused again. */
const REFUSED_PAUSE_MS = 30_000;

const OWNERS: readonly Owner[] = ['file', 'api'];

/** Follows the revisions that other instances make. */
export class Follower {
  readonly #options: FollowerOptions;
  /** The revision that could not be followed: told of once, and compiled again only after a while. */
  #refused: (Behind & { until: number }) | undefined;
  /** What is in force is no revision: something was taken away from one. */
  #hasTakenAway = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  get behind(): Behind | undefined {
    return this.#refused;
  }

  /** What was refused is tried again without waiting. */
  forgetPause(): void {
    if (this.#refused) this.#refused.until = 0;
  }

  /** What was made since; `undefined` where there is nothing to try. */
  async read(): Promise<Newer | undefined> {
    const { current, revisions, tenantEnds } = this.#options;
    const newest = await revisions.newestNumber();
    if (newest <= current.revision || this.#waits(newest)) return undefined;
    const found = this.#hasTakenAway ? await this.#compare() : await this.#readHistory(newest);
    return { ...found, ends: await tenantEnds.read(tenantsOf(found.changes)) };
  }

  /** Gives why this instance is behind, where it cannot be put in force here, or could not be a moment ago. */
  async takeUp(newer: Newer | undefined): Promise<Behind | undefined> {
    if (!newer) return this.#refused;
    const { current, tenantEnds, news, now } = this.#options;
    const { revision: newest, changes, ends } = newer;
    try {
      const tried = current.tryOut(changes, 'given');
      tenantEnds.take(ends);
      await current.enforce(tried, newest);
      this.#refused = undefined;
      this.#hasTakenAway = false;
    } catch (error) {
      const { revision } = current;
      const isTold = this.#refused?.newest === newest;
      if (!isTold) news.tellOfRefusal(revision, newest, error);
      const { hasChanged, isWhole } = await takeAway(current, news, { newest, changes, ends, isTold });
      if (hasChanged) this.#hasTakenAway = true;
      this.#refused = { revision, newest, error, isTakenAway: isWhole, until: now() + REFUSED_PAUSE_MS };
    }
    return this.#refused;
  }

  #waits(newest: number): boolean {
    return this.#refused?.newest === newest && this.#options.now() < this.#refused.until;
  }

  async #readHistory(newest: number): Promise<Omit<Newer, 'ends'>> {
    const { current, revisions } = this.#options;
    const history = foldChanges(await revisions.changesBetween(current.revision, newest));
    return {
      revision: newest,
      changes: changesFrom(history, (kind, name) => current.layers.find(kind, name)),
    };
  }

  /**
   * What was taken away need not be in the history since: it may be as it was before. The history is looked at all the same: a
   * tenant that was made again as it was is another one, which the entries do not tell.
   */
  async #compare(): Promise<Omit<Newer, 'ends'>> {
    const { current, revisions } = this.#options;
    const { number, entries } = await revisions.readAll();
    const different = OWNERS.flatMap((owner) =>
      diffEntries(
        owner,
        current.layers.ofOwner(owner),
        entries.filter((entry) => entry.owner === owner),
      ),
    );
    const { changes } = await this.#readHistory(number);
    return { revision: number, changes: foldChanges([...changes, ...different]) };
  }
}
