import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { LoadedConfig } from './config/load.ts';
import type { Config } from './config/resolve.ts';
import { ConfigInForce } from './config-in-force.ts';
import { checkStored } from './control/check-stored.ts';
import { ControlNews } from './control/control-news.ts';
import { ControlPlane } from './control/control-plane.ts';
import { CredentialRotation } from './control/credential-rotation.ts';
import { EventLog } from './control/event-log.ts';
import { FileWatch, FileWatches } from './control/file-watch.ts';
import { openSealer, readSalt } from './control/sealer.ts';
import { Vault } from './control/veil.ts';
import { closeServer, drain, OpenConnections } from './draining.ts';
import { endFirstTenantKey } from './end-first-key.ts';
import { recompileSnapshot } from './gateway/compile-snapshot.ts';
import { describeCredentials, probeCredential } from './gateway/credentials.ts';
import type { Gateway } from './gateway/gateway.ts';
import { LateCounts } from './gateway/late-counts.ts';
import { Spool } from './gateway/spool.ts';
import type { AdminParts } from './http/admin/admin-doors.ts';
import { holdRequests } from './http/held-requests.ts';
import type { Lifecycle } from './http/lifecycle.ts';
import { createHttpServer } from './http/server.ts';
import { compileAdminKeys, hasOwner, hasTenants, instanceSecrets, storeUrl } from './instance-settings.ts';
import { leave } from './leaving.ts';
import { GONE_KEY, GoneModels } from './lifecycle/gone-models.ts';
import { makeArchives } from './make-archives.ts';
import { makeBilling } from './make-billing.ts';
import { makeLanes } from './make-lanes.ts';
import { makeRetirementWatch } from './make-lifecycle.ts';
import { makeOwnCalls } from './make-own-calls.ts';
import { makePrompts } from './make-prompts.ts';
import { makeRolloutController } from './make-rollout-controller.ts';
import { openDoors } from './open-doors.ts';
import { OutsideView } from './outside-view.ts';
import { Places } from './overload/places.ts';
import { PastSpending } from './past-spending.ts';
import { watchServers } from './provider-servers.ts';
import { CounterBook } from './quotas/counters.ts';
import { createQuotas } from './quotas/create-quotas.ts';
import { LocalQuotas } from './quotas/local-quotas.ts';
import { findNewBudgets } from './quotas/spent-budgets.ts';
import { RolloutBook } from './rollouts/rollout-book.ts';
import { HedgingBook } from './routing/hedging.ts';
import type { App, WorkerSeat } from './running-app.ts';
import { StructureJudge } from './schemas/structure-judge.ts';
import { GrowingIds } from './store/growing-ids.ts';
import { openStore } from './store/open.ts';
import type { RedactingLog } from './telemetry/redacting-log.ts';
import { tellLedgerProblem, tellOverload, tellRecovery, tellRecoveryFailure } from './tell-problems.ts';
import { AccessRequests } from './tenants/access-requests.ts';
import { ensureFirstKeys, FIRST_TENANT } from './tenants/first-start.ts';
import { KeyRing } from './tenants/keys.ts';
import { hadTenants, MadeKeys } from './tenants/made-keys.ts';
import { TenantEnds } from './tenants/tenant-ends.ts';
import { UpstreamObjects } from './tenants/upstream-objects.ts';
import { TokenCounter } from './tokens/token-counter.ts';
import { Connections } from './upstream/connections.ts';
import { Deadlines } from './upstream/deadlines.ts';
import type { ProviderDeclaration } from './upstream/provider.ts';
import type { SignInContext } from './upstream/sign-in/create-signer.ts';
import { FeedbackBook } from './usage/feedback.ts';
import { InFlight } from './usage/in-flight.ts';
import { Journal, type JournalProblem } from './usage/journal.ts';
import { Ledger, type LedgerProblem, scheduleTimeout } from './usage/ledger.ts';
import { JournalTakeover } from './usage/recover.ts';

/** What may wait on disk of all uploads together. */
const SPOOL_BYTES = 4 * 1024 ** 3;

const CALL_ID_PREFIX = 'req_';

/** How often the store is asked for a newer configuration: a change is to reach all instances within a second. */
const FOLLOW_MS = 500;

/** How long a stop waits for a change of the configuration that is under way: the store may hang. */
const SETTLE_MS = 3_000;

/**
 * The composition root: builds every part once and wires it; nothing else constructs.
 *
 * `fetch`: asks the issuers of access tokens, and what lists the addresses of providers. `worker`: absent where the gateway is one process.
 */
export async function startApp(
  loaded: LoadedConfig,
  declarations: readonly ProviderDeclaration[],
  { log, redact, hide }: RedactingLog,
  fetch: typeof globalThis.fetch = globalThis.fetch,
  worker?: WorkerSeat,
): Promise<App> {
  const { config } = loaded;
  const store = await openStore(storeUrl(config), {
    // Who cannot start with what the store has shall be able to go back to the version before.
    beforeUpgrade: (db) => checkStored(db, loaded, Date.now),
  });
  const salt = await readSalt(store);
  const vault = new Vault(salt, openSealer(loaded.context.env, salt));
  const inForce = new ConfigInForce(config, vault, log);
  hide(() => {
    const { few, many } = inForce.secrets();
    return { few: [...few, ...instanceSecrets(config)], many };
  });
  const journalDirectory = join(config.dataDirectory, 'journal');
  const events = new EventLog({
    store,
    now: Date.now,
    schedule: scheduleTimeout,
    redact,
    outbox: { note: (db, event) => view.webhooks.note(db, event), wake: () => view.webhooks.wake() },
    onFailure: (err, lost) => log.error({ err, lost }, 'the store takes no events: they are written later'),
  });
  const news = new ControlNews({ log, events, schedule: scheduleTimeout });
  const reportLedger = (problem: LedgerProblem | JournalProblem) => tellLedgerProblem(news, problem);
  const ledger = new Ledger({
    store: {
      insertCalls: async (rows) => {
        await quotas.noteUncounted();
        await store.insertCalls(rows);
      },
    },
    journal: new Journal({ directory: journalDirectory, onProblem: reportLedger }),
    prices: inForce,
    onProblem: reportLedger,
    observe: (records) => view.observe(records),
  });
  const view = new OutsideView({
    ...{ store, news, worker, now: Date.now },
    config: () => inForce.config,
    gateway: () => gateway,
    revision: () => control.revision,
    pendingRecords: () => ledger.pendingRecords,
    places: () => places,
    breakers: () => lanes.readings((target, account) => gateway.snapshot.routes.isPlace(target, account)),
  });
  const { responses, captures } = makeArchives(store, log);
  const tokens = new TokenCounter();
  const monotonicMs = () => performance.now();
  const structures = new StructureJudge({ monotonicMs });
  const deadlines = new Deadlines(monotonicMs);
  const connections = new Connections({ now: Date.now, monotonicMs, deadlines });
  const servers = watchServers({ connections, news, fetch });
  const signIn: SignInContext = {
    now: Date.now,
    fetch,
    warn: (fields, message) => log.warn(fields, message),
  };
  const tenantEnds = new TenantEnds(store);
  const counters = new CounterBook((tenant) => tenantEnds.find(tenant)?.revision ?? 0);
  const quotas = await createQuotas(
    config.state,
    {
      replyMs: config.stateTimeout,
      onStateLoss: config.onStateLoss,
      local: new LocalQuotas(counters, Date.now),
      limits: () => gateway.snapshot.limits,
      now: Date.now,
      schedule: scheduleTimeout,
      tell: (severity, kind, message, details) => news.tellOften(severity, kind, message, details),
    },
    store,
  );
  const { lanes, health, cooling } = await makeLanes(config.state, { news, monotonicMs });
  const hedgings = new HedgingBook();
  const rollouts = new RolloutBook();
  // What the gateway made itself is read, and let in, only when it listens.
  const made = new MadeKeys(store);
  const compile = (next: Config) => {
    const madeKeys = hasTenants(next) ? [] : made.tenantKeys;
    const compiled = recompileSnapshot(
      { config: next, declarations, madeKeys, signIn, counters, lanes, hedgings, rollouts },
      inForce.compiled,
    );
    const keys = compileAdminKeys(next, made.adminKeys);
    const tenantKey = keys.find(({ hash }) => compiled.callers.ring.has(hash));
    if (tenantKey) throw new Error(`The admin key '${tenantKey.key}' has the secret of a tenant's key.`);
    return { compiled, adminKeys: new KeyRing(keys, Date.now) };
  };
  const pastSpending = new PastSpending({
    ...{ store, ledger, quotas, tenantEnds, news },
    limits: () => gateway.snapshot.limits,
  });
  const takeover = new JournalTakeover({
    directory: journalDirectory,
    ledger: pastSpending,
    schedule: scheduleTimeout,
    onRecovered: async (recovery) => {
      tellRecovery(news, recovery);
      // At the start all budgets are learned when this is done.
      if (lifecycle.phase !== 'starting') await pastSpending.learn(gateway.snapshot.limits);
    },
    onFailed: (failure) => tellRecoveryFailure(news, failure),
  });
  const callIds = new GrowingIds(Date.now, CALL_ID_PREFIX);
  const ownCalls = makeOwnCalls({ gateway: () => gateway, makeId: () => callIds.next() });
  const first = compile(config);
  inForce.set(first.compiled);
  lanes.follow(first.compiled.lanes);
  const places = new Places({
    ...{ bounds: first.compiled.snapshot.bounds, deadlines, monotonicMs, random: Math.random },
    tell: (refused) => tellOverload(news, refused),
  });
  const gone = new GoneModels(news);
  const lifecycle: Lifecycle = { phase: 'starting' };
  const gateway: Gateway = {
    snapshot: first.compiled.snapshot,
    connections,
    ledger,
    lateCounts: new LateCounts(tokens, log),
    responses,
    prompts: {
      admit: (call) => promptModels.admit(call),
      ask: (reference, input) => promptModels.ask(reference, input, gateway.snapshot.promptModel),
    },
    captures,
    tokens,
    structures,
    places,
    quotas,
    prices: inForce,
    // The control plane is made after the gateway; nothing is called before both are.
    credentials: {
      rejected: (credential, reason) => rotation.rejected(credential, reason),
      accepted: (credential) => rotation.accepted(credential),
      proven: (credential) => rotation.proven(credential),
    },
    gone,
    shadows: ownCalls.shadows,
    log,
    calls: new InFlight(),
    deadlines,
    objects: new UpstreamObjects(store, Date.now),
    batches: { note: (place, described) => billing.note(place, described) },
    uploads: {
      spool: new Spool(join(config.dataDirectory, 'spool'), SPOOL_BYTES),
      maxBytes: config.server.uploadLimit,
    },
    now: Date.now,
    monotonicMs,
    random: Math.random,
  };
  const { billing, unbilled } = makeBilling({
    ...{ store, gateway: () => gateway, idPrefix: CALL_ID_PREFIX },
    isPresent: ({ tenant, life }) =>
      (hasTenants(control.config)
        ? Object.hasOwn(control.config.tenants, tenant)
        : tenant === FIRST_TENANT) && (tenantEnds.find(tenant)?.revision ?? 0) === life,
    charge: (record, leastMicroUsd) => pastSpending.charge(record, leastMicroUsd),
  });
  const credentialFiles = new FileWatches(() => void control.readCredentialFiles());
  const compileToEnforce = (next: Config) => {
    const { compiled, adminKeys } = compile(next);
    return async () => {
      // At the start all are learned at once, when what killed processes left is in the store.
      if (lifecycle.phase !== 'starting') {
        await pastSpending.learn(findNewBudgets(compiled.snapshot.limits, gateway.snapshot.limits));
      }
      const endOthers = await servers.begin(compiled.snapshot.routes.upstreams.values());
      inForce.set(compiled);
      lanes.follow(compiled.lanes);
      // Calls of the configuration before keep theirs: what they leave behind is not another tenant's.
      gateway.snapshot = { ...compiled.snapshot, lifeOf: tenantEnds.freeze() };
      places.setBounds(compiled.snapshot.bounds);
      endOthers();
      admin.keys = adminKeys;
      if (lifecycle.phase !== 'draining') credentialFiles.follow(next.credentialFiles);
      if (hasTenants(next) && made.tenantKeys.length > 0) await endFirstTenantKey(made, log);
    };
  };
  const refreshKeys = async () => {
    const isOther = await made.refresh();
    if (hasTenants(control.config) && made.tenantKeys.length > 0) await endFirstTenantKey(made, log);
    return isOther;
  };
  const control = new ControlPlane({
    ...{ loaded, store, vault, news, log, now: Date.now },
    compile: compileToEnforce,
    refreshKeys,
    tenantEnds,
    onMade: () => worker?.tellChanged(),
  });
  const access = new AccessRequests(store, Date.now);
  const rotation = new CredentialRotation({ control, news, log });
  const { prompts, promptKeeper, promptWatch, promptCache, promptModels, closePrompts } = await makePrompts({
    ...{ store, control, news, log, config, configFile: loaded.path, now: Date.now, prices: inForce },
    isModel: (name) => gateway.snapshot.routes.resolve(name) !== undefined,
  });
  const { rolloutController, releases } = makeRolloutController({
    ...{ store, control, news, log, book: rollouts, prompts, promptKeeper },
    snapshot: () => gateway.snapshot,
  });
  const retirements = makeRetirementWatch({ control, controller: rolloutController, events, news, log });
  const admin: AdminParts = {
    store,
    keys: first.adminKeys,
    control,
    events,
    access,
    made,
    rollouts: rolloutController,
    releases,
    prompts,
    promptKeeper,
    isGone: (target) => gone.has(target),
    rehearsal: ownCalls.rehearsal,
    describeHealth: () => view.describeHealth(),
    describeCredentials: (provider) => describeCredentials(gateway.snapshot, provider),
    probeCredential: (provider, account) => probeCredential(gateway.snapshot, provider, account),
  };

  const server = createHttpServer({
    bodyLimitBytes: config.server.bodyLimit,
    worker: worker?.seat.number,
    makeRequestId: () => callIds.next(),
    onInternalError: (error) =>
      log.error({ err: error }, 'a request failed for a reason that the gateway does not know'),
  });
  const openConnections = new OpenConnections(server.server);
  const hasOpenMetrics = config.server.metrics === 'open';
  const feedback = new FeedbackBook({ store, tenantEnds, now: Date.now, wait: setTimeout });
  openDoors(server, {
    ...{ gateway, lifecycle, control, admin, prompts, promptCache, feedback, hasOpenMetrics },
    metrics: view.metricsPage,
  });

  const watch = new FileWatch(loaded.path, () => void control.reloadFile());
  let follow: NodeJS.Timeout | undefined;
  let drainMs = config.server.drainTimeout;
  const leaveConnections = async (hurried: AbortSignal) => {
    drainMs = await leave(server.server, openConnections, { timeoutMs: drainMs, monotonicMs, hurried });
  };
  const stop = async (noTimeLeft?: AbortSignal) => {
    lifecycle.phase = 'draining';
    watch.stop();
    credentialFiles.follow([]);
    servers.stop();
    clearInterval(follow);
    await takeover.stop();
    unbilled.stop();
    await retirements.stop();
    ownCalls.stop();
    await rolloutController.stop();
    await promptWatch.stop();
    await drain(gateway, openConnections, drainMs, noTimeLeft);
    await closeServer(server);
    await closePrompts();
    if (!(await control.settle(SETTLE_MS)))
      log.warn({}, 'a change of the configuration is not waited for any more');
    await connections.close();
    await unbilled.settled();
    await billing.settled();
    await ledger.close();
    await responses.close();
    await captures.close();
    tokens.stop();
    await structures.stop();
    await quotas.close();
    health?.close();
    cooling.close();
    await view.stop();
    news.close();
    await events.close();
    await store.close();
  };
  try {
    await control.start();
    await takeover.run();
    await pastSpending.learnAll();
    await Promise.all([quotas.open(), health?.open()]);
    const { host, port } = worker?.seat ?? config.server;
    const letGoOn = worker && holdRequests(server.server);
    const url = await server.listen({ host, port });
    // Only now: secrets that are made before a start that fails would be seen by nobody.
    const isPastFirst = hasTenants(control.config) || (await hadTenants(store));
    const configured = { hasTenants: isPastFirst, hasOwner: hasOwner(control.config, Date.now()) };
    const firstSecrets = await ensureFirstKeys(store, configured, Date.now);
    if (isPastFirst) await made.endTenantKeys();
    await control.takeUpKeys();
    view.start();
    await rolloutController.start();
    await promptWatch.start();
    gone.remember(await events.toldUnder(GONE_KEY));
    retirements.start();
    watch.start(loaded.seen);
    follow = setInterval(() => void control.lookForNewer(), FOLLOW_MS);
    unbilled.start();
    lifecycle.phase = 'ready';
    letGoOn?.();
    return {
      ...{ url, firstSecrets, stop, leave: leaveConnections, readMetrics: () => view.metrics.read() },
      reload: () => control.reloadFile(),
      lookForNewer: () => control.lookForNewer(),
      note: ({ kind, severity, message, details }) => events.note(kind, severity, message, details),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
