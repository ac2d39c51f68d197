import type { CapturePolicy } from '../captures/capture.ts';
import type { PassThrough } from '../dialects/pass-through.ts';
import type { WordTable } from '../dialects/word-table.ts';
import type { OverloadBounds, Rank } from '../overload/bounds.ts';
import type { Holder } from '../overload/share.ts';
import type { CallerLimits } from '../quotas/compile-limits.ts';
import type { Limit } from '../quotas/limit.ts';
import type { Routes } from '../routing/resolve-targets.ts';
import type { Owner } from '../tenants/owner.ts';
import type { TokenRing } from '../tenants/token-ring.ts';
import type { ModelRollout } from './choose-side.ts';
import type { PromptRollout } from './compile-rollouts.ts';
import type { Regions } from './regions.ts';

/** The compiled, immutable form of one configuration: all that the way of a call reads. */
export interface Snapshot {
  routes: Routes;
  /** The fields that are looked for at admission, where any provider here has rules about more than `PassThrough` says. */
  fieldsOf: ReadonlyMap<PassThrough, WordTable>;
  /** Of models that are in one. */
  rollouts: ReadonlyMap<string, ModelRollout>;
  /** Of prompts that are in one. */
  promptRollouts: ReadonlyMap<string, PromptRollout>;
  /** The caller that a secret belongs to; `undefined` where no valid key has it. */
  findCaller(secret: string): Caller | undefined;
  /** The callers that come with tokens of an issuer; absent where none is configured. */
  tokens: TokenRing<Caller> | undefined;
  /** What to do about a provider that is known but not configured, by its name. */
  missingProviders: ReadonlyMap<string, string>;
  /** Unix seconds: since when this configuration is in force. */
  created: number;
  /** The largest body that a call may have, also with the earlier turns that it names. */
  maxBodyBytes: number;
  /** Responses of the Responses API: whether they are kept here, and for how long they can be gone on from. */
  responses: { store: boolean; retentionMs: number };
  /** The model of prompts that name none. */
  promptModel: string | undefined;
  /** What may run and wait while it is in force. */
  bounds: OverloadBounds;
  /** All limits that there are. */
  limits: readonly Limit[];
  /** Tells tenants of one name apart: 0 for the first, any other number for a later one. What it gives for a tenant stays the same. */
  lifeOf(tenant: string): number;
}

/** Who has what a caller leaves behind, and what it may ask for. */
export function ownerOf({ snapshot, caller }: { snapshot: Snapshot; caller: Caller }): Owner {
  return { tenant: caller.tenant, life: snapshot.lifeOf(caller.tenant) };
}

/** Who calls: a tenant by one of its keys. */
export interface Caller {
  tenant: string;
  key: string;
  /** How prompts and answers are kept; absent where they are not. */
  capture?: CapturePolicy | undefined;
  /** Whether the tenant may call a model by this public name. */
  mayCall(model: string): boolean;
  /** Whether the key's own list, or what the claims of a token permit, has a model; absent where all of its tenant's are. */
  keyMayCall?: ((model: string) => boolean) | undefined;
  /** Whether it may call a prompt by this name. */
  mayPrompt(prompt: string): boolean;
  /** Whether the key's own list, or what the claims of a token permit, has a prompt; absent where all of its tenant's are. */
  keyMayPrompt?: ((prompt: string) => boolean) | undefined;
  /** Where its calls may be served; absent: anywhere. */
  regions?: Regions | undefined;
  /** `undefined` where nothing that it can call has a limit. */
  limits: CallerLimits | undefined;
  /** Its tenant's places among the calls that run. */
  holder: Holder;
  /** Who goes first where calls wait. */
  rank: Rank;
}
