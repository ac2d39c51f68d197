import { type GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { findInTexts, MAX_FILES_IN_TEXTS, mayNameInTexts } from '../dialects/files-in-texts.ts';
import type { HeldReference } from '../dialects/held-references.ts';
import { isOf } from '../tenants/owner.ts';
import type { UpstreamObject } from '../tenants/upstream-objects.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { parseBody } from './parse-body.ts';
import type { PlannedAttempt } from './plan.ts';
import { heldNotFound } from './refuse-held.ts';
import { ownerOf } from './snapshot.ts';

/**
 * Leaves of a plan what may be told of the files that the call names in its texts. To most providers that is text like any other; where one reads
 * it (`filesInTexts`), the file must be the tenant's own and at that account, or one that the gateway never saw and the tenant have all of the
 * provider's models. Asks the store, but only where such a provider is planned and something is named.
 *
 * @throws GatewayError as for a file that nobody has, where nothing is left; `invalid_request` where more are named than are looked for
 */
export function planTexts(
  gateway: Gateway,
  call: Call,
  plan: PlannedAttempt[],
): PlannedAttempt[] | Promise<PlannedAttempt[]> {
  const schemes = new Set(plan.flatMap(({ target }) => target.upstream.declaration.filesInTexts ?? []));
  const named = new Map<string, HeldReference[]>();
  for (const scheme of schemes) {
    if (!mayNameInTexts(call.body, scheme)) continue;
    const references = findInTexts(call.request ?? parseBody(call.body), scheme);
    if (references.length > MAX_FILES_IN_TEXTS) {
      throw invalidRequest(
        `The texts of the request name more than ${MAX_FILES_IN_TEXTS} files by '${scheme}'.`,
        references.at(-1)?.path,
      );
    }
    if (references.length > 0) named.set(scheme, references);
  }
  return named.size === 0 ? plan : keepOwn(gateway, call, plan, named);
}

async function keepOwn(
  { objects }: Gateway,
  call: Call,
  plan: readonly PlannedAttempt[],
  named: ReadonlyMap<string, readonly HeldReference[]>,
): Promise<PlannedAttempt[]> {
  const ids = new Set([...named.values()].flatMap((references) => references.map(({ id }) => id)));
  const rows = Map.groupBy(await objects.ofAll([...ids]), ({ id }) => id);
  let hidden: HeldReference | undefined;
  const left = plan.filter((planned) => {
    const references = named.get(planned.target.upstream.declaration.filesInTexts ?? '') ?? [];
    const unknown = references.find((reference) => !mayName(call, planned, reference, rows));
    hidden ??= unknown;
    return unknown === undefined;
  });
  if (left.length === 0 && hidden) throw hidden.id === '' ? noId(hidden.path) : heldNotFound(call, hidden);
  noteChecked(call, ids);
  return left;
}

/** Of what follows the word for a file and is none of the ids that providers give. */
export function noId(path: string): GatewayError {
  return invalidRequest(`'${path}' names a file, but by no id that can be read.`, path);
}

function mayName(
  call: Call,
  { target: { upstream }, account }: PlannedAttempt,
  { id }: HeldReference,
  rows: ReadonlyMap<string, readonly UpstreamObject[]>,
): boolean {
  if (id === '') return false;
  const known = rows.get(id);
  if (!known) return call.caller.mayCall(upstream.allModels);
  const owner = ownerOf(call);
  const isHere = (row: UpstreamObject) => row.provider === upstream.name && row.account === account.name;
  return known.some((row) => isHere(row) && isOf(row, owner));
}

/** Notes that a call may name these: what else its bodies name in such places was hidden in it. */
export function noteChecked(call: Call, ids: Iterable<string>): void {
  call.checkedFiles ??= new Set();
  for (const id of ids) call.checkedFiles.add(id);
}
