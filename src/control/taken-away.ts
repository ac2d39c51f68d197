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
}

/** Locks out whom a refused revision locks out. Rejects never: an alarm says where that cannot be done. */
export async function takeAway(current: CurrentConfig, news: ControlNews, refused: Refused): Promise<void> {
  const { newest, changes, ends } = refused;
  const { revision, layers } = current;
  const isReplaced = (end: TenantEnd | undefined) => end !== undefined && end.revision > revision;
  const replaced = new Set([...ends].filter(([, end]) => isReplaced(end)).map(([tenant]) => tenant));
  let refusal: unknown;
  for (const plan of planTakingAway(changes, layers, replaced)) {
    try {
      await current.enforce(current.tryOut(plan, 'given'), revision);
      news.tellOfTakingAway(revision, newest, plan);
      return;
    } catch (error) {
      refusal = error;
    }
  }
  if (refusal !== undefined) news.tellOfStaying(revision, newest, refusal);
}

/**
 * What can be made of changes that cannot be put in force as a whole, so that whom they lock out is locked out all the same: keys
 * become what they are to be, tenants go. The first that is valid is the best; all of the last are keys that go. An empty
 * list where they lock out nobody.
 *
 * @param changes what would bring the entries, as they are, to those that are to be
 * @param replaced tenants whose names are another tenant's by then
 */
function planTakingAway(
  changes: readonly Change[],
  layers: Layers,
  replaced: ReadonlySet<string>,
): readonly (readonly Change[])[] {
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
  if (gone.length === 0 && ended.length === 0) return [];
  // Tokens may be of a tenant that goes.
  const issuers = changes.filter(({ kind, name }) => kind === 'settings' && name === 'issuers');
  const goneKeys = gone.filter(({ kind }) => kind === 'keys' || kind === 'adminKeys');
  const plans = [
    [...gone, ...keys, ...issuers],
    [...gone, ...ended, ...issuers],
    [...goneKeys, ...ended],
  ];
  return plans.map((plan) => plan.filter(isChange));
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
