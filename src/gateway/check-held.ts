import { invalidRequest } from '../conversation/gateway-error.ts';
import { mayNameHeld } from '../dialects/held-bytes.ts';
import type { HeldKind } from '../dialects/held-fields.ts';
import { findHeldReferences, type HeldReference } from '../dialects/held-references.ts';
import { isOf } from '../tenants/owner.ts';
import type { UpstreamObject } from '../tenants/upstream-objects.ts';
import { findEndpoint } from '../upstream/endpoint.ts';
import type { Call } from './call.ts';
import { noteChecked, planTexts } from './check-texts.ts';
import type { Gateway } from './gateway.ts';
import { isDue, isLeftBehind, isThread, keyOf } from './note-held.ts';
import { parseBody } from './parse-body.ts';
import { type PlannedAttempt, planAttempts } from './plan.ts';
import { heldNotFound } from './refuse-held.ts';
import { ownerOf } from './snapshot.ts';

/** However much a request names, no more is looked for. */
const MAX_REFERENCES = 500;

/** Whether something that a provider holds may be named in a call, which is then for `planHeld` to plan. */
export function namesHeld({ body, spans, words, door }: Call): boolean {
  return mayNameHeld(body, spans, words, door.dialect.name);
}

/**
 * Plans a call that may name what a provider account holds (files, items, conversations, …), so that none reaches what is
 * another tenant's: it goes to the account that has what the tenant made; what the gateway never saw goes where the
 * tenant has all of the provider's models. Asks the store, but only where something is named.
 *
 * @throws GatewayError as for an id that nobody has, in the words of the caller's dialect, and what `planAttempts` throws.
 */
export async function planHeld(gateway: Gateway, call: Call): Promise<PlannedAttempt[]> {
  const references = readReferences(call);
  if (references.length === 0) return planTexts(gateway, call, planAttempts(gateway, call));
  const owner = ownerOf(call);
  const now = gateway.now();
  const owned = await findOwners(gateway, call, references);
  const unseen: HeldReference[] = [];
  const due: HeldReference[] = [];
  let issuer: UpstreamObject | undefined;
  for (const reference of references) {
    // What is for many is nobody's, whatever else may have its name.
    const row = reference.kind === 'shared' ? undefined : owned.get(keyOf(reference));
    const isForeign = row !== undefined && !isOf(row, owner);
    if (reference.kind === 'compared') {
      if (!isForeign) call.comparable = row;
      continue;
    }
    if (isForeign) throw heldNotFound(call, reference);
    if (reference.kind === 'continuation') {
      issuer = row;
      continue;
    }
    const kept = reference.kind === 'item' ? await gateway.responses.find(owner, reference.id) : undefined;
    if (row) {
      pin(call, reference, row);
      if (isDue(row, now)) due.push(reference);
      if (isThread(row.kind)) {
        call.began = row.target ?? undefined;
        call.goesOnIn = reference;
      }
    } else if (kept?.where === 'provider')
      pin(call, reference, { provider: kept.target.split('/', 1)[0] ?? '', account: kept.account });
    else unseen.push(reference);
  }
  const plan = planAttempts(gateway, call).filter((planned) =>
    unseen.every(({ kind }) => mayReach(call, planned, kind)),
  );
  if (plan.length === 0 && unseen[0]) throw heldNotFound(call, unseen[0]);
  // What a conversation holds and a container does is its tenant's, whoever made it: that of the first call that names it.
  const claimed = [...unseen.filter(({ kind }) => isLeftBehind(kind) && !OF_ANSWERS.has(kind)), ...due];
  if (claimed.length > 0) call.toClaim = claimed;
  noteChecked(
    call,
    references.filter(({ kind }) => kind === 'file').map(({ id }) => id),
  );
  return planTexts(gateway, call, issuer ? beginningAt(plan, issuer) : plan);
}

/**
 * Whether other accounts can read a token is not documented: the one that gave it is asked first. What the gateway never saw can be anybody's, as
 * thoughts in their encrypted form can: nobody else has its words.
 */
function beginningAt(
  plan: readonly PlannedAttempt[],
  { provider, account }: UpstreamObject,
): PlannedAttempt[] {
  const isFirst = (planned: PlannedAttempt) =>
    planned.target.upstream.name === provider && planned.account.name === account;
  return [...plan.filter(isFirst), ...plan.filter((planned) => !isFirst(planned))];
}

function readReferences(call: Call): HeldReference[] {
  const request = parseBody(call.body);
  const references = findHeldReferences(call.body, request, call.door.dialect.name);
  if (references.length > MAX_REFERENCES) {
    throw invalidRequest(
      `The request names more than ${MAX_REFERENCES} things by their ids.`,
      references[MAX_REFERENCES]?.path,
    );
  }
  return references;
}

async function findOwners(
  { objects, log }: Gateway,
  call: Call,
  references: readonly HeldReference[],
): Promise<Map<string, UpstreamObject>> {
  const owner = ownerOf(call);
  let rows: UpstreamObject[] = [];
  try {
    rows = await objects.ofAll(references.map(keyOf));
  } catch (err) {
    // Advice is no reason to fail while the store is away: there is none, then.
    if (references.some(({ kind }) => kind !== 'compared')) throw err;
    log.warn(
      { call: call.id, err },
      'whose the request is that this one is compared with could not be found out',
    );
  }
  // Several accounts may have given an id: the caller's own is meant, and of these the one that was made last.
  const rank = (row: UpstreamObject) => (isOf(row, owner) ? row.created_at : -1);
  return new Map(rows.toSorted((a, b) => rank(a) - rank(b)).map((row) => [row.id, row]));
}

/** What an account has is had from it alone. */
function pin(
  call: Call,
  reference: HeldReference,
  { provider, account }: { provider: string; account: string },
): void {
  const { id, path } = reference;
  const { pinned } = call;
  // Who goes on with a thread has all that is in it, and can send it elsewhere.
  const refuse = reference.kind === 'thread' ? () => heldNotFound(call, reference) : pinned?.refuse;
  if (pinned && (pinned.provider !== provider || pinned.account !== account)) {
    if (refuse) throw refuse();
    throw invalidRequest(
      `'${path}' names '${id}', which another provider account holds than what else the request names.`,
      path,
      'held_elsewhere',
    );
  }
  if (pinned) pinned.refuse = refuse;
  else call.pinned = { provider, account, what: `'${id}'`, param: path, code: 'held_elsewhere', refuse };
}

/** What only answers have: they are noted, so that nothing of the kind is a tenant's that the gateway never saw. */
export const OF_ANSWERS: ReadonlySet<HeldKind> = new Set(['item', 'audio', 'thread', 'compared']);

/**
 * What the gateway never saw may be anybody's whom the account serves: that is for those to use who may use all of the
 * provider's. What is of an answer is nobody's then; providers of another dialect are not told of it.
 */
function mayReach(call: Call, { target, account }: PlannedAttempt, kind: HeldKind): boolean {
  const { upstream, model } = target;
  if (!OF_ANSWERS.has(kind)) return call.caller.mayCall(upstream.allModels);
  const { door, stream } = call;
  const { name: dialect } = door.dialect;
  const asked = { operation: door.operation, model, stream, dialect };
  return findEndpoint(upstream, account, asked)?.dialect.name !== dialect;
}
