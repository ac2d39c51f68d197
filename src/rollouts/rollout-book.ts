import type { JsonObject } from '../conversation/json.ts';
import type { ApprovalSetting } from './approval.ts';
import { hashOf, percentileOf, type Sticky, stickyKey } from './assign.ts';
import type { GateLimits } from './gates.ts';
import type { Whose } from './observation.ts';
import {
  DRAFT,
  isBeforeSteps,
  isUnderWay,
  isWatched,
  type Plan,
  type Progress,
  weightOf,
} from './progress.ts';
import type { Origin } from './release.ts';

/** Who always has the candidate: whom any of these fits. */
export interface Cohort {
  tenants?: readonly string[] | undefined;
  /** As `TENANT/KEY`. */
  keys?: readonly string[] | undefined;
  users?: readonly string[] | undefined;
  header?: Readonly<Record<string, string>> | undefined;
  metadata?: Readonly<Record<string, string>> | undefined;
  percentage?: number | undefined;
}

/** What moves: a model, or a prompt's label. Doors and events tell it by these fields. */
export type Moved = { model: string } | { prompt: string; label: string };

/** A rollout as the config says it. */
export interface RolloutSpec {
  name: string;
  moves: Moved;
  plan: Plan;
  cohort: Cohort;
  gates: GateLimits;
  /** What it moves from and to: as the config language writes a target, or `version` with a version of a prompt, `NAME@VERSION`. */
  stable: JsonObject;
  candidate: JsonObject;
  approval: ApprovalSetting;
  /** Copies of calls that the stable answers; absent where none are made. */
  shadow?: { share: number; maxConcurrentCalls: number } | undefined;
  /** SHA-256, in hex, of its steps, cohort, gates and copies: what a second person agrees to. They may be changed under way. */
  terms: string;
  /** What moves, as text: a rollout of other releases is another one, and begins anew. */
  release: string;
}

/** Whose call it is, as far as a rollout asks. */
export interface Subject extends Sticky {
  header(name: string): string | undefined;
  metadata: Readonly<Record<string, unknown>>;
}

/** Where a rollout stands at this moment: the one thing that changes while a configuration is in force. */
export interface Standing {
  release: string;
  progress: Progress;
  /** What it was when it began; absent where it never did. */
  origin?: Origin | undefined;
}

/** A rollout of one configuration, and where it stands. */
export class Rollout {
  readonly spec: RolloutSpec;
  readonly #standing: Standing;

  constructor(spec: RolloutSpec, standing: Standing) {
    this.spec = spec;
    this.#standing = standing;
  }

  get progress(): Progress {
    return this.#standing.release === this.spec.release ? this.#standing.progress : DRAFT;
  }

  get origin(): Origin | undefined {
    return this.#standing.release === this.spec.release ? this.#standing.origin : undefined;
  }

  /** Whether it decides about calls. */
  get isActive(): boolean {
    const { phase } = this.progress;
    return phase !== 'draft' && phase !== 'rolled_back';
  }

  /** Whether what calls come to is learned. */
  get isWatched(): boolean {
    return isWatched(this.progress);
  }

  /** Whether copies are made of what the stable answers. */
  get isShadowed(): boolean {
    return this.spec.shadow !== undefined && isUnderWay(this.progress);
  }

  /** Whether nobody has the candidate yet, and copies alone go to it. */
  get isBeforeSteps(): boolean {
    return isBeforeSteps(this.progress);
  }

  assign(subject: Subject): Whose {
    const { name, plan, cohort } = this.spec;
    const { progress } = this;
    // Nobody has the candidate as long as there are copies alone, by whatever rule.
    if (isBeforeSteps(progress)) return { side: 'stable' };
    const weight = weightOf(plan, progress);
    const user = hashOf(name, stickyKey(subject));
    if (weight < 100 && isOf(cohort, subject)) return { side: 'candidate', user, isByRule: true };
    const isMoved = percentileOf(user) < Math.max(weight, cohort.percentage ?? 0);
    return { side: isMoved ? 'candidate' : 'stable', user };
  }
}

function isOf({ tenants, keys, users, header, metadata }: Cohort, subject: Subject): boolean {
  const { tenant, key, user } = subject;
  if (tenants?.includes(tenant) || keys?.includes(`${tenant}/${key}`)) return true;
  if (user !== undefined && users?.includes(user)) return true;
  return (
    anyEntry(header, (name, value) => subject.header(name.toLowerCase()) === value) ||
    anyEntry(metadata, (name, value) => subject.metadata[name] === value)
  );
}

function anyEntry(
  entries: Readonly<Record<string, string>> | undefined,
  fits: (name: string, value: string) => boolean,
): boolean {
  for (const name in entries) if (fits(name, entries[name] ?? '')) return true;
  return false;
}

/** Where each rollout stands. It outlives configurations. */
export class RolloutBook {
  readonly #standings = new Map<string, Standing>();

  /** A rollout as a configuration has it. */
  find(spec: RolloutSpec): Rollout {
    return new Rollout(spec, this.#standingOf(spec.name));
  }

  /** Takes what the store says of one. */
  set(name: string, { release, progress, origin }: Standing): void {
    Object.assign(this.#standingOf(name), { release, progress, origin });
  }

  /** The store has nothing of one any more. */
  clear(name: string): void {
    this.set(name, { release: '', progress: DRAFT });
  }

  #standingOf(name: string): Standing {
    const known = this.#standings.get(name);
    if (known) return known;
    const standing: Standing = { release: '', progress: DRAFT };
    this.#standings.set(name, standing);
    return standing;
  }
}
