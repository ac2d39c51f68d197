import { ConfigError, type ConfigProblem, formatProblem } from '../config/problem.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { isObject, isSameInOrder } from '../conversation/json.ts';
import { type BuildContext, buildConfig } from './build-config.ts';
import { type Change, isChange } from './change.ts';
import { entryId, isTenantList } from './entry.ts';
import { Layers } from './layers.ts';
import type { RevisionStore } from './revision-store.ts';

/** A newer revision than the one in force, which cannot be put in force here. */
export interface Behind {
  /** The one in force. */
  revision: number;
  newest: number;
  error: unknown;
  /** Whom the newer one locks out is out here, too. */
  isTakenAway: boolean;
}

export type Plan = (layers: Layers, revision: number) => readonly Change[] | Promise<readonly Change[]>;

/** How many problems an answer names. */
const MOST_NAMED = 5;
/** And how many entries. */
const MOST_UNKNOWN = 20;

/**
 * What is wanted, held against the newest entries: at an instance that cannot put them in force, that is all that can be told of
 * it. What only takes something away needs nothing of the rest.
 *
 * @throws GatewayError `overloaded` where it does more; ConfigError with what would be wrong by it and is not already; what `plan` throws
 */
export async function planBehind(
  plan: Plan,
  behind: Behind,
  revisions: Pick<RevisionStore, 'readAll'>,
  context: BuildContext,
): Promise<{ newest: number; changes: readonly Change[] }> {
  const { number: newest, entries } = await revisions.readAll();
  const layers = new Layers(entries);
  const changes = (await plan(layers, newest)).filter(isChange);
  if (!changes.every(takesAway)) throw refuseBehind(behind, adviceOn(changes));
  if (changes.some(isLedTo)) refuseBroken(layers, changes, context);
  return { newest, changes };
}

/** What works here instead: a secret that must be out, for one, need not wait for another instance. */
function adviceOn(changes: readonly Change[]): string | undefined {
  const changed = changes.filter((change) => !takesAway(change));
  const isOfKeys = changed.every(
    ({ kind, before }) => (kind === 'keys' || kind === 'adminKeys') && before !== undefined,
  );
  return isOfKeys
    ? "A key cannot be rotated or changed here; it can be revoked ('DELETE'), and is out at all instances then."
    : undefined;
}

/** @param advice the last words of the answer */
export function refuseBehind(
  { revision, newest, error }: Behind,
  advice = 'What only takes something away is taken here, too.',
): GatewayError {
  return new GatewayError(
    'overloaded',
    `This instance serves by revision ${revision} and cannot put revision ${newest} in force: ${reasonOf(error)}. Ask another instance, or mend that. ${advice}`,
    { code: 'instance_behind' },
  );
}

/**
 * A document that was read at an instance that is behind, or a file that was written before, lacks what the instance does not know: nobody
 * meant to take that away.
 *
 * @param layers what is in force at the instance
 * @throws GatewayError `overloaded`
 */
export function refuseUnaware(
  changes: readonly Change[],
  behind: Behind | undefined,
  layers: Pick<Layers, 'find'>,
): void {
  if (!behind) return;
  const unknown = changes.filter(
    ({ kind, name, after }) => after === undefined && layers.find(kind, name) === undefined,
  );
  if (unknown.length === 0) return;
  const names = unknown.slice(0, MOST_UNKNOWN).map((change) => entryId(change));
  const more = unknown.length > names.length ? ` and ${unknown.length - names.length} more` : '';
  throw refuseBehind(behind, `The document lacks what is not known here yet: ${names.join(', ')}${more}.`);
}

/** It is written, and somebody is still let in here whom it locks out. */
export function tellOfStaying({ newest, error }: Behind): GatewayError {
  return new GatewayError(
    'overloaded',
    `What revision ${newest} takes away is still valid here, and here only: this instance cannot put it in force: ${reasonOf(error)}. Stop the instance, or mend that.`,
    { code: 'instance_behind' },
  );
}

function takesAway({ kind, name, before, after }: Change): boolean {
  if (kind !== 'settings') return after === undefined;
  if (name !== 'issuers' || !isObject(before)) return false;
  const left = isObject(after) ? Object.entries(after) : [];
  return left.every(([issuer, value]) => isSameInOrder(value, before[issuer]));
}

/** Whether something else may name it. */
function isLedTo({ kind }: Change): boolean {
  return kind !== 'settings' && kind !== 'adminKeys' && !isTenantList(kind);
}

/** What is wrong only here is in nobody's way: the others have these entries in force. */
function refuseBroken(layers: Layers, changes: readonly Change[], context: BuildContext): void {
  const known = new Set(listProblems(layers, context).map(placeOf));
  layers.apply(changes);
  const broken = listProblems(layers, context).filter((problem) => !known.has(placeOf(problem)));
  if (broken.length > 0) throw new ConfigError(broken);
}

function listProblems(layers: Layers, context: BuildContext): readonly ConfigProblem[] {
  try {
    buildConfig(layers, context);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** Wherever it stands in its list by now. */
function placeOf({ path }: ConfigProblem): string {
  return path.replaceAll(/\[\d+\]/g, '[]');
}

function reasonOf(error: unknown): string {
  if (!(error instanceof ConfigError)) return error instanceof Error ? error.message : String(error);
  const told = error.problems.slice(0, MOST_NAMED).map(formatProblem);
  const more = error.problems.length - told.length;
  return `${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
