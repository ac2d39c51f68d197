import { isObject, isSameInOrder, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { NewestEnds, TenantEnd } from '../tenants/tenant-ends.ts';
import { type Change, isChange } from './change.ts';
import type { ControlNews } from './control-news.ts';
import type { CurrentConfig } from './current-config.ts';
import { isTenantList, LIST_KINDS } from './entry.ts';
import type { Layers } from './layers.ts';
import { endsSecrets } from './revoked-keys.ts';

/** A revision that cannot be put in force as a whole. */
interface Refused {
  newest: number;
  /** What would bring the entries, as they are, to those of the revision. */
  changes: readonly Change[];
  /** Of the tenants that the changes are of. */
  ends: NewestEnds;
  /** It was refused before: what is still valid was told then. */
  isTold: boolean;
}

interface Plan {
  changes: readonly Change[];
  /** Nobody whom the revision locks out is in any more where it is in force. */
  isWhole: boolean;
}

/** What became of it. */
export interface TakenAway {
  hasChanged: boolean;
  /** Nobody whom the revision locks out is in any more. */
  isWhole: boolean;
}

/** Locks out whom a refused revision locks out. Rejects never: an alarm says where somebody stays in. */
export async function takeAway(
  current: CurrentConfig,
  news: ControlNews,
  refused: Refused,
): Promise<TakenAway> {
  const { newest, changes, ends, isTold } = refused;
  const { revision, layers } = current;
  const isReplaced = (end: TenantEnd | undefined) => end !== undefined && end.revision > revision;
  const replaced = new Set([...ends].filter(([, end]) => isReplaced(end)).map(([tenant]) => tenant));
  const plans = planTakingAway(changes, layers, replaced);
  let refusal: unknown;
  let done: Plan | undefined;
  for (const plan of plans) {
    if (plan.changes.length === 0) continue;
    try {
      await current.enforce(current.tryOut(plan.changes, 'given'), revision);
      done = plan;
      news.tellOfTakingAway(revision, newest, plan.changes);
      break;
    } catch (error) {
      refusal = error;
    }
  }
  const isWhole = plans.length === 0 || done?.isWhole === true;
  if (!isWhole && !isTold) news.tellOfStaying(revision, newest, refusal);
  return { hasChanged: done !== undefined, isWhole };
}

/**
 * What can be made of changes that cannot be put in force as a whole, so that whom they lock out is locked out all the same: keys
 * become what they are to be, tenants and issuers go. The first that is valid is the best; all of the last are keys that go. An
 * empty list where they lock out nobody.
 *
 * @param changes what would bring the entries, as they are, to those that are to be
 * @param replaced tenants whose names are another tenant's by then
 */
function planTakingAway(
  changes: readonly Change[],
  layers: Layers,
  replaced: ReadonlySet<string>,
): readonly Plan[] {
  const isReplaced = ({ kind, name }: Change): boolean =>
    (kind === 'tenants' && replaced.has(name)) ||
    (isTenantList(kind) && replaced.has(name.slice(0, name.indexOf('/'))));
  const ofOthers = changes.filter((change) => !isReplaced(change));
  const gone = [
    ...ofOthers.filter(
      ({ kind, after }) =>
        after === undefined && (kind === 'tenants' || isTenantList(kind) || kind === 'adminKeys'),
    ),
    ...[...replaced].flatMap((tenant) => removeTenant(layers, tenant)),
  ];
  const keys = ofOthers.filter(
    ({ kind, before, after }) =>
      (kind === 'keys' || kind === 'adminKeys') && before !== undefined && after !== undefined,
  );
  const ended = keys
    .filter(({ before, after }) => endsSecrets(before, after))
    .map((change) => ({ ...change, after: undefined }));
  const ofIssuers = changes.filter(isOfIssuers);
  const goneTenants = new Set(gone.filter(({ kind }) => kind === 'tenants').map(({ name }) => name));
  const issuersLeft = planIssuers(ofIssuers, layers, goneTenants);
  const locksOut = [...gone, ...ended, ...issuersLeft].filter(isChange);
  if (locksOut.length === 0) return [];
  const goneKeys = gone.filter(({ kind }) => kind === 'keys' || kind === 'adminKeys');
  return [
    { changes: [...gone, ...keys, ...ofIssuers].filter(isChange), isWhole: true },
    { changes: [...gone, ...ended, ...ofIssuers].filter(isChange), isWhole: true },
    { changes: locksOut, isWhole: true },
    { changes: [...goneKeys, ...ended].filter(isChange), isWhole: false },
  ];
}

function isOfIssuers({ kind, name }: Pick<Change, 'kind' | 'name'>): boolean {
  return kind === 'settings' && name === 'issuers';
}

/**
 * Leaves the issuers that stay as they are, for a variable that is not set here may be in the way of the newer ones: those that
 * become others are out like those that go, and so are tokens for tenants that go.
 */
function planIssuers(
  changes: readonly Change[],
  layers: Layers,
  goneTenants: ReadonlySet<string>,
): readonly Change[] {
  const entry = layers.find('settings', 'issuers');
  if (!entry || !isObject(entry.value)) return [];
  const { owner, kind, name, value } = entry;
  const wanted = changes.length === 0 ? value : changes.find(({ after }) => after !== undefined)?.after;
  const left: JsonObject = {};
  for (const [issuer, before] of Object.entries(value)) {
    const stays = isObject(before) && isObject(wanted) && isSameInOrder(wanted[issuer], before);
    const kept = stays ? withoutTenants(before, goneTenants) : undefined;
    if (kept) left[issuer] = kept;
  }
  return [{ owner, kind, name, before: value, after: left }].filter(isChange);
}

function withoutTenants(issuer: JsonObject, gone: ReadonlySet<string>): JsonObject | undefined {
  const { tenant, tenants } = issuer;
  const isGone = (name: JsonValue | undefined) => typeof name === 'string' && gone.has(name);
  if (isGone(tenant)) return undefined;
  if (!isObject(tenants)) return issuer;
  const left = Object.entries(tenants).filter(([, name]) => !isGone(name));
  return { ...issuer, tenants: Object.fromEntries(left) };
}

function removeTenant(layers: Layers, tenant: string): Change[] {
  const own = layers.find('tenants', tenant);
  const entries = [...(own ? [own] : []), ...LIST_KINDS.flatMap((kind) => layers.ofTenant(kind, tenant))];
  return entries.map(({ owner, kind, name, value }) => ({
    owner,
    kind,
    name,
    before: value,
    after: undefined,
  }));
}
