import type { Conversation, DialectName, Part } from '../conversation/conversation.ts';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, tryParseJson } from '../conversation/json.ts';
import type { CallerDialectName } from '../dialects/dialect.ts';
import {
  findHeldReferences,
  type HeldKind,
  type HeldReference,
  isHeldUri,
  mayNameHeld,
} from '../dialects/held-references.ts';
import type { Target } from '../routing/target.ts';
import type { UpstreamObject } from '../tenants/upstream-objects.ts';
import { findEndpoint } from '../upstream/endpoint.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { type PlannedAttempt, planAttempts } from './plan.ts';

/** However much a request names, no more is looked for. */
const MAX_REFERENCES = 500;

/** What the first call that names one makes its tenant's. */
type Claimed = Extract<HeldKind, 'conversation' | 'container'>;

/** Whether something that a provider holds may be named in a call, which is then for `planHeld` to plan. */
export function namesHeld({ body, spans, door }: Call): boolean {
  return mayNameHeld(body, spans, door.dialect.name);
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
  if (references.length === 0) return planAttempts(call);
  const { tenant } = call.caller;
  const owned = await findOwners(gateway, references, tenant);
  const unseen: HeldReference[] = [];
  for (const reference of references) {
    const row = owned.get(reference.id);
    if (row && row.tenant !== tenant) throw notFound(call, reference);
    const kept = reference.kind === 'item' ? await gateway.responses.find(tenant, reference.id) : undefined;
    if (row && reference.kind === 'file') pin(call, reference, row);
    else if (kept?.where === 'provider')
      pin(call, reference, { provider: kept.target.split('/', 1)[0] ?? '', account: kept.account });
    else if (!row) unseen.push(reference);
  }
  const plan = planAttempts(call).filter((planned) =>
    unseen.every(({ kind }) => mayReach(call, planned, kind)),
  );
  if (plan.length === 0 && unseen[0]) throw notFound(call, unseen[0]);
  await claim(gateway, call, plan, unseen);
  return plan;
}

function readReferences(call: Call): HeldReference[] {
  const request = tryParseJson(call.body.toString('utf8'));
  // What is no JSON is refused where it is read; a provider can make nothing of it.
  if (!isObject(request)) throw invalidRequest('The request body is not valid JSON.');
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
  { objects }: Gateway,
  references: readonly HeldReference[],
  tenant: string,
): Promise<Map<string, UpstreamObject>> {
  const rows = await objects.ofAll(references.map(({ id }) => id));
  // Several accounts may have given an id: the caller's own is meant, and of these the one that was made last.
  const rank = (row: UpstreamObject) => (row.tenant === tenant ? row.created_at : -1);
  return new Map(rows.toSorted((a, b) => rank(a) - rank(b)).map((row) => [row.id, row]));
}

/** What an account has is had from it alone. */
function pin(
  call: Call,
  { id, path }: HeldReference,
  { provider, account }: { provider: string; account: string },
): void {
  const { pinned } = call;
  if (pinned && (pinned.provider !== provider || pinned.account !== account)) {
    throw invalidRequest(
      `'${path}' names '${id}', which another provider account holds than what else the request names.`,
      path,
      'held_elsewhere',
    );
  }
  call.pinned ??= { provider, account, what: `'${id}'`, param: path, code: 'held_elsewhere' };
}

/**
 * What the gateway never saw may be anybody's whom the account serves: that is for those to use who may use all of the
 * provider's. An item is always of an answer, and answers are noted. Providers of another dialect are not told of it.
 */
function mayReach(call: Call, { target, account }: PlannedAttempt, kind: HeldKind): boolean {
  const { upstream, model } = target;
  if (kind !== 'item') return call.caller.mayCall(`${upstream.name}/*`);
  const { door, stream } = call;
  const { name: dialect } = door.dialect;
  const asked = { operation: door.operation, model, stream, dialect };
  return findEndpoint(upstream, account, asked)?.dialect.name !== dialect;
}

/** Providers that read such addresses with the account's own rights. */
const READS_HELD_URIS: ReadonlySet<DialectName> = new Set(['gemini', 'converse']);

/**
 * The same for addresses of media that a call names in another dialect than its target's: they are nothing special there.
 *
 * @throws GatewayError as for an address where nothing is.
 */
export function refuseHeldUris(
  call: Call,
  { upstream }: Target,
  { messages }: Conversation,
  dialect: DialectName,
): void {
  if (!READS_HELD_URIS.has(dialect) || call.caller.mayCall(`${upstream.name}/*`)) return;
  for (const { parts } of messages) {
    const uri = findHeldUri(parts);
    if (uri !== undefined) throw notFound(call, { kind: 'shared', id: uri, path: 'url' });
  }
}

function findHeldUri(parts: readonly Part[]): string | undefined {
  for (const part of parts) {
    if (part.type === 'tool_result') {
      const inner = findHeldUri(part.parts);
      if (inner !== undefined) return inner;
    }
    if (!('source' in part) || part.source.kind !== 'url') continue;
    if (isHeldUri(part.source.url)) return part.source.url;
  }
  return undefined;
}

/** What a conversation holds and a container does is its tenant's, whoever made it: that of the first call that names it. */
async function claim(
  { objects, now }: Gateway,
  call: Call,
  plan: readonly PlannedAttempt[],
  unseen: readonly HeldReference[],
): Promise<void> {
  const [first] = plan;
  if (!first) return;
  const { tenant, key } = call.caller;
  const place = { provider: first.target.upstream.name, account: first.account.name };
  const claimed = unseen.flatMap(({ kind, id }) =>
    isClaimed(kind) ? [{ id, kind, tenant, key, ...place, created_at: now(), object: null }] : [],
  );
  if (claimed.length === 0) return;
  await objects.bind(claimed);
  const rows = await objects.ofAll(claimed.map(({ id }) => id));
  const lost = rows.find((row) => row.tenant !== tenant);
  const reference = unseen.find(({ id }) => id === lost?.id);
  if (reference) throw notFound(call, reference);
}

function isClaimed(kind: HeldKind): kind is Claimed {
  return kind === 'conversation' || kind === 'container';
}

const NAMES: Record<HeldKind, string> = {
  file: 'File',
  item: 'Item',
  conversation: 'Conversation',
  container: 'Container',
  shared: 'Resource',
};

/**
 * In the words that the dialect's own provider has for it, and the same for what nobody has and what another tenant has.
 *
 * Sources: OpenAI and Anthropic (404), Gemini (403 for files that are not there or not the caller's).
 */
const REFUSALS: Record<CallerDialectName, (reference: HeldReference) => GatewayError> = {
  chat: ({ kind, id, path }) =>
    new GatewayError('not_found', `No such ${NAMES[kind]} object: ${id}. ${ADVICE[kind]}`, {
      param: path,
      code: 'object_not_found',
    }),
  responses: ({ kind, id, path }) =>
    new GatewayError('not_found', `${NAMES[kind]} with id '${id}' not found. ${ADVICE[kind]}`, {
      param: path,
    }),
  messages: ({ kind, id, path }) =>
    new GatewayError('not_found', `${NAMES[kind]} not found: ${id}. ${ADVICE[kind]}`, { param: path }),
  gemini: ({ kind, id, path }) =>
    new GatewayError(
      'forbidden',
      `You do not have permission to access the ${NAMES[kind]} ${id} or it may not exist. ${ADVICE[kind]}`,
      { param: path },
    ),
};

const SEEN = 'What was not made through this gateway needs the permission for all models of its provider.';
const ADVICE: Record<HeldKind, string> = {
  file: SEEN,
  item: 'Items can be named that an answer to this tenant held, unless it was created with `store: false`. Send the item itself.',
  conversation: SEEN,
  container: SEEN,
  shared: SEEN,
};

function notFound(call: Call, reference: HeldReference): GatewayError {
  return REFUSALS[call.door.dialect.name](reference);
}
