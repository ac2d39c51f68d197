import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import { findTopLevelFields, parseField } from '../dialects/request-fields.ts';
import { WordTable } from '../dialects/word-table.ts';
import type { Lane } from '../routing/lane.ts';
import type { Routes } from '../routing/resolve-targets.ts';
import type { ObjectKind, UpstreamObject } from '../tenants/upstream-objects.ts';
import type { Account, Upstream } from '../upstream/upstream.ts';
import { adviseAccess } from './advise-access.ts';
import type { Call } from './call.ts';
import { credentialsRejected, planAccount } from './credentials.ts';
import type { Gateway } from './gateway.ts';
import type { ObjectCall } from './object-call.ts';
import type { PlannedAttempt } from './plan.ts';
import { mayServe, outOfRegion } from './regions.ts';
import { sendJson } from './respond.ts';
import { ownerOf } from './snapshot.ts';

const NAMES: Readonly<Record<ObjectKind, string>> = { file: 'File', batch: 'Batch' };

/**
 * What to try for a call about a file or a batch: the account that keeps it; for a new file each account of its provider. A list
 * is answered from the gateway's own books, for the provider's would be that of all tenants: there is nothing to try then.
 *
 * @throws GatewayError `not_found` for what the tenant does not have, whether another one has it or not; `forbidden`,
 * `invalid_request`
 */
export async function planObject(
  gateway: Gateway,
  call: Call,
  object: ObjectCall,
): Promise<PlannedAttempt[]> {
  switch (object.does) {
    case 'list':
      await answerList(gateway, call, object);
      return [];
    case 'create': {
      if (object.kind === 'batch') return [await planBatch(gateway, call)];
      const upstream = chooseProvider(call, object.provider);
      checkPermission(call, upstream.name);
      const target = targetAt(upstream, 'file');
      const allowed = upstream.accounts.filter((account) => mayServe(call.caller, target, account));
      if (allowed.length === 0) throw outOfRegion(call.caller, `The provider '${upstream.name}'`);
      const { routes } = call.snapshot;
      const plan = allowed.flatMap((account) => planKept(routes, target, account, 'file') ?? []);
      if (plan.length === 0) throw credentialsRejected(upstream);
      return plan;
    }
    default:
      return [planAt(call, await findOwn(gateway, call, object.kind, object.id, 'id'), object.kind)];
  }
}

async function findOwn(
  { objects }: Gateway,
  call: Call,
  kind: ObjectKind,
  id: string,
  param: string,
): Promise<UpstreamObject> {
  const found = await objects.find(ownerOf(call), kind, id);
  if (!found) {
    throw new GatewayError('not_found', `No such ${NAMES[kind]} object: ${id}`, {
      param,
      code: 'object_not_found',
    });
  }
  return found;
}

const BATCH_FIELDS = new WordTable(['input_file_id']);

/** A batch is made of a file, where that is. */
async function planBatch(gateway: Gateway, call: Call): Promise<PlannedAttempt> {
  const { input_file_id: span } = findTopLevelFields(call.body, BATCH_FIELDS);
  const id = span && parseField(call.body, span, 'input_file_id');
  if (typeof id !== 'string')
    throw invalidRequest("'input_file_id' must be the id of a file.", 'input_file_id');
  const file = await findOwn(gateway, call, 'file', id, 'input_file_id');
  checkPermission(call, file.provider);
  if (!isForBatches(file)) {
    throw invalidRequest(
      `The file '${id}' was not uploaded for batches. Upload it with the purpose 'batch'.`,
      'input_file_id',
      'invalid_purpose',
    );
  }
  return planAt(call, file, 'batch');
}

/** Of another file the lines were not looked into when it was uploaded. */
function isForBatches({ object }: UpstreamObject): boolean {
  const described = tryParseJson(object ?? 'null');
  return isObject(described) && described['purpose'] === 'batch';
}

function planAt(call: Call, { provider, account: name }: UpstreamObject, asked: ObjectKind): PlannedAttempt {
  const upstream = call.snapshot.routes.upstreams.get(provider);
  const account = upstream?.accounts.find((one) => one.name === name);
  if (!upstream || !account) {
    throw new GatewayError(
      'upstream_unavailable',
      `The account that keeps it ('${name}' at '${provider}') is not set up here any more. Tell the gateway's operator.`,
      { code: 'account_missing' },
    );
  }
  const target = targetAt(upstream, asked);
  if (!mayServe(call.caller, target, account)) throw outOfRegion(call.caller, `The account that keeps it`);
  const planned = planKept(call.snapshot.routes, target, account, asked);
  if (!planned) throw credentialsRejected(upstream);
  return planned;
}

const SURFACES = { file: 'files', batch: 'batches' } as const satisfies Record<ObjectKind, string>;

/** An attempt at what an account keeps; `undefined` where its provider takes none of its credentials. */
function planKept(
  routes: Routes,
  target: PlannedAttempt['target'],
  account: Account,
  kind: ObjectKind,
): PlannedAttempt | undefined {
  return planAccount(target, account, laneOfKept(routes, target.upstream, account, kind));
}

/** How an account does with what it keeps: providers limit that apart from the calls of models. */
export function laneOfKept(
  routes: Routes,
  upstream: Upstream,
  { name }: Account,
  kind: ObjectKind,
): Lane | undefined {
  return routes.laneBeside(SURFACES[kind], upstream, name);
}

/** What calls about files and batches are said to go to. */
export function targetAt(upstream: Upstream, kind: ObjectKind): PlannedAttempt['target'] {
  const model = SURFACES[kind];
  return { name: `${upstream.name}/${model}`, upstream, model, timeouts: upstream.timeouts };
}

/** What is kept at a provider can be used with any of its models: the lines of a batch name them. */
function checkPermission({ caller }: Call, provider: string): void {
  if (caller.mayCall(`${provider}/*`)) return;
  throw new GatewayError(
    'forbidden',
    `Files and batches can be used with every model of '${provider}': a key needs the permission '${provider}/*' for them. ${adviseAccess(caller, `${provider}/*`)}`,
    { code: 'model_not_allowed' },
  );
}

function chooseProvider({ snapshot, caller }: Call, named: string | undefined): Upstream {
  const { upstreams } = snapshot.routes;
  const having = [...upstreams.values()].filter(({ declaration }) => declaration.relays?.file !== undefined);
  const callable = having.filter(({ name }) => caller.mayCall(`${name}/*`));
  const how = 'Name one with the header x-fairlead-provider or ?provider=.';
  if (named !== undefined) {
    const chosen = having.find(({ name }) => name === named);
    if (!chosen) {
      throw invalidRequest(
        `There is no provider '${named}' here that keeps files.${listNames(callable)}`,
        'provider',
        'unknown_provider',
      );
    }
    return chosen;
  }
  // With one there is no choice; whether the caller may use it is said by the permission.
  const [only, ...others] = callable.length > 0 ? callable : having.slice(0, 1);
  if (!only)
    throw invalidRequest('No provider that keeps files is set up here.', 'provider', 'no_file_provider');
  if (others.length > 0) {
    throw invalidRequest(
      `Several providers keep files. ${how}${listNames(callable)}`,
      'provider',
      'provider_not_clear',
    );
  }
  return only;
}

function listNames(upstreams: readonly Upstream[]): string {
  return upstreams.length === 0 ? '' : ` There are: ${upstreams.map(({ name }) => name).join(', ')}.`;
}

async function answerList(
  gateway: Gateway,
  call: Call,
  { kind, page }: Extract<ObjectCall, { does: 'list' }>,
): Promise<void> {
  if (page.after !== undefined) await findOwn(gateway, call, kind, page.after, 'after');
  const found = await gateway.objects.list({ ...page, ...ownerOf(call), kind });
  const data = found.slice(0, page.limit).flatMap(({ object }) => {
    const parsed: JsonValue = JSON.parse(object ?? 'null') as JsonValue;
    return isObject(parsed) ? [parsed] : [];
  });
  const body: JsonObject = {
    object: 'list',
    data,
    first_id: found[0]?.id ?? null,
    last_id: found.slice(0, page.limit).at(-1)?.id ?? null,
    has_more: found.length > page.limit,
  };
  if (!call.cancelled) sendJson(gateway, call, Buffer.from(JSON.stringify(body)));
}
