import { GatewayError } from '../conversation/gateway-error.ts';
import type { NewestEnds, TenantEnds } from '../tenants/tenant-ends.ts';
import { type Behind, type Plan, planBehind, refuseBehind, tellOfStaying } from './behind.ts';
import { type Change, isChange, tenantsOf } from './change.ts';
import type { UnnumberedRevision } from './config-file.ts';
import type { ControlNews } from './control-news.ts';
import type { CurrentConfig } from './current-config.ts';
import type { Alongside, NewRevision, RevisionStore } from './revision-store.ts';

/** What a change came to. */
export interface Outcome {
  /** The revision in force; the one before where nothing changed. */
  revision: number;
  changes: readonly Change[];
}

export type Describe = (changes: readonly Change[]) => UnnumberedRevision;

/** How often another instance may be faster with a number before a change is given up. */
export const ATTEMPTS = 20;

export interface RevisionMakerOptions {
  current: CurrentConfig;
  revisions: RevisionStore;
  tenantEnds: TenantEnds;
  news: ControlNews;
  /** Puts in force what others made; gives why this instance is behind, where it is. */
  follow(): Promise<Behind | undefined>;
  /** Told when a revision was made. */
  onMade(): void;
  /** Unix milliseconds. */
  now(): number;
}

/**
 * Makes a revision of what is wanted: plans it by the newest, tries it out, writes it under the next number and puts it in force. Of several
 * at once, whoever is second with a number follows the first and plans again. To be asked in turn.
 */
export class RevisionMaker {
  readonly #options: RevisionMakerOptions;

  constructor(options: RevisionMakerOptions) {
    this.#options = options;
  }

  /**
   * A file is noted also where it changes nothing, so that it need not be compared again. At an instance that is behind only what takes
   * something away is made.
   *
   * @throws ConfigError where the configuration would not be valid; GatewayError of `plan`, or `overloaded`
   */
  async make(plan: Plan, describe: Describe, alongside?: Alongside): Promise<Outcome> {
    const { current, revisions, tenantEnds, news, follow, onMade } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const behind = await follow();
      if (behind) {
        if (alongside) throw refuseBehind(behind);
        const outcome = await this.#makeBehind(plan, describe, behind);
        if (outcome) return outcome;
        continue;
      }
      // Planned again at each attempt: another instance may have changed what it starts from.
      const changes = (await plan(current.layers, current.revision)).filter(isChange);
      const revision = this.number(describe(changes));
      const isNothing = changes.length === 0 && revision.documentHash === null && !alongside;
      if (isNothing || (await revisions.isNewestFile(revision.documentHash))) {
        return { revision: current.revision, changes: [] };
      }
      const tried = current.tryOut(changes, revision.source === 'api' ? 'asked' : 'given');
      let isWritten = false;
      let earlier: number | undefined;
      let ends: NewestEnds = new Map();
      try {
        earlier = await revisions.findSameFile(revision);
        // A file that is put back is a restore, too.
        isWritten = await revisions.append(
          { ...revision, restores: revision.restores ?? earlier },
          async (db) => {
            await alongside?.(db);
            // What is read now cannot fail when it is in force.
            ends = await tenantEnds.read(tenantsOf(changes), db);
          },
        );
      } finally {
        if (!isWritten) current.takeBack(changes);
      }
      if (!isWritten) continue;
      tenantEnds.take(ends);
      await current.enforce(tried, revision.number);
      onMade();
      news.tellOfRevision(revision, earlier);
      return { revision: revision.number, changes };
    }
    throw new GatewayError('overloaded', 'Other changes were made at the same time; try again.', {
      retryAfterMs: 1_000,
    });
  }

  /** What follows the one in force, or `newest`. */
  number(revision: UnnumberedRevision, newest = this.#options.current.revision): NewRevision {
    return { ...revision, number: newest + 1, createdAt: this.#options.now() };
  }

  /** `undefined` where another instance was faster. */
  async #makeBehind(plan: Plan, describe: Describe, behind: Behind): Promise<Outcome | undefined> {
    const { current, revisions, news, follow, onMade } = this.#options;
    const { newest, changes } = await planBehind(plan, behind, revisions, current.context);
    const revision = this.number(describe(changes), newest);
    if (changes.length === 0) return { revision: newest, changes };
    if (!(await revisions.append(revision))) return undefined;
    onMade();
    news.tellOfRevision(revision, undefined, 'behind');
    const still = await follow();
    if (still && !still.isTakenAway) throw tellOfStaying(still);
    return { revision: revision.number, changes };
  }
}
