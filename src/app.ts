import { randomUUIDv7 } from 'node:crypto';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { CaptureArchive, type CaptureProblem } from './captures/capture-archive.ts';
import type { Config } from './config/resolve.ts';
import { GatewayError } from './conversation/gateway-error.ts';
import { compileSnapshot, type SnapshotSources } from './gateway/compile-snapshot.ts';
import type { Gateway } from './gateway/gateway.ts';
import { interruptCall } from './gateway/handle-call.ts';
import { LateCounts } from './gateway/late-counts.ts';
import { RunningCalls } from './gateway/running-calls.ts';
import { Spool } from './gateway/spool.ts';
import { type AdminParts, addAdminDoors } from './http/admin-doors.ts';
import { addAnthropicDoors } from './http/anthropic-doors.ts';
import { addGeminiDoors } from './http/gemini-doors.ts';
import type { Lifecycle } from './http/lifecycle.ts';
import { addMediaDoors } from './http/media-doors.ts';
import { addModelDoors } from './http/model-doors.ts';
import { addMultipartDoors } from './http/multipart-doors.ts';
import { addObjectDoors } from './http/object-doors.ts';
import { addOpenAiDoors } from './http/openai-doors.ts';
import { addOperationsDoors } from './http/operations-doors.ts';
import { addResponsesDoors } from './http/responses-doors.ts';
import { createHttpServer } from './http/server.ts';
import { CounterBook } from './quotas/counters.ts';
import { createQuotas } from './quotas/create-quotas.ts';
import { LocalQuotas } from './quotas/local-quotas.ts';
import { learnSpent } from './quotas/spent-budgets.ts';
import { type ArchiveProblem, ResponseArchive } from './responses/response-archive.ts';
import { openStore } from './store/open.ts';
import type { RedactingLog } from './telemetry/redacting-log.ts';
import { ensureFirstKeys, type FirstSecrets, readMadeKeys } from './tenants/first-start.ts';
import { type HashedKey, hashSecret, KeyRing } from './tenants/keys.ts';
import { UpstreamObjects } from './tenants/upstream-objects.ts';
import { TokenCounter } from './tokens/token-counter.ts';
import { Connections } from './upstream/connections.ts';
import type { ProviderDeclaration } from './upstream/provider.ts';
import { listSecrets } from './upstream/secrets.ts';
import type { SignInContext } from './upstream/sign-in/create-signer.ts';
import { Journal, type JournalProblem } from './usage/journal.ts';
import { Ledger, type LedgerProblem, scheduleTimeout } from './usage/ledger.ts';
import { PriceBook } from './usage/prices.ts';
import { recoverJournals } from './usage/recover.ts';

export interface App {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  url: string;
  /** Secrets that were made at this start and exist nowhere else. */
  firstSecrets: FirstSecrets | undefined;
  /** Lets running calls finish (up to the config's `drainTimeout`), writes what is pending, closes everything. */
  stop(): Promise<void>;
}

/** How often a draining app looks whether its calls are done. */
const DRAIN_POLL_MS = 20;

/** How long clients have for the end of what they began: to read the error that ends a call, to finish a request. */
const LAST_WORDS_MS = 1_000;

/** What may wait on disk of all uploads together. */
const SPOOL_BYTES = 4 * 1024 ** 3;

/**
 * The composition root: builds every part once and wires it; nothing else constructs.
 *
 * `fetch`: asks the issuers of access tokens.
 */
export async function startApp(
  config: Config,
  declarations: readonly ProviderDeclaration[],
  { log, hide }: RedactingLog,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Promise<App> {
  const store = await openStore(storeUrl(config));
  const prices = buildPriceBook(config, log);
  const journalDirectory = join(config.dataDirectory, 'journal');
  const reportLedger = (problem: LedgerProblem | JournalProblem) =>
    log.error(describeProblem(problem), `usage ledger: ${problem.kind}`);
  const ledger = new Ledger({
    store,
    journal: new Journal({ directory: journalDirectory, onProblem: reportLedger }),
    prices,
    onProblem: reportLedger,
  });
  const responses = new ResponseArchive({
    store,
    now: Date.now,
    onProblem: (problem) => log.error(describeProblem(problem), `kept responses: ${problem.kind}`),
  });
  const captures = new CaptureArchive({
    store,
    now: Date.now,
    onProblem: (problem) => log.error(describeProblem(problem), `captures: ${problem.kind}`),
  });
  const tokens = new TokenCounter();
  const connections = new Connections(Date.now);
  const signIn: SignInContext = {
    now: Date.now,
    fetch,
    warn: (fields, message) => log.warn(fields, message),
  };
  const counters = new CounterBook();
  const quotas = createQuotas(config.state, {
    replyMs: config.stateTimeout,
    onStateLoss: config.onStateLoss,
    local: new LocalQuotas(counters, Date.now),
    limits: () => gateway.snapshot.limits,
    now: Date.now,
    schedule: scheduleTimeout,
    log,
  });
  const lifecycle: Lifecycle = { phase: 'starting' };
  const gateway: Gateway = {
    snapshot: compileSnapshot({ config, declarations, madeKeys: [], signIn, counters }),
    connections,
    ledger,
    lateCounts: new LateCounts(tokens, log),
    responses,
    captures,
    tokens,
    quotas,
    prices,
    log,
    calls: new RunningCalls(),
    objects: new UpstreamObjects(store, Date.now),
    uploads: {
      spool: new Spool(join(config.dataDirectory, 'spool'), SPOOL_BYTES),
      maxBytes: config.server.uploadLimit,
    },
    now: Date.now,
    monotonicMs: () => performance.now(),
  };
  hide(() => listLogSecrets(config, gateway));
  const admin: AdminParts = { store, keys: new KeyRing<HashedKey>([], Date.now) };

  const server = createHttpServer({
    bodyLimitBytes: config.server.bodyLimit,
    // Version 7 begins with the time: the ledger's indices grow at their ends, which halves the cost of a record.
    makeRequestId: () => `req_${randomUUIDv7()}`,
    onInternalError: (error) =>
      log.error({ err: error }, 'a request failed for a reason that the gateway does not know'),
  });
  addOperationsDoors(server, lifecycle);
  addOpenAiDoors(server, gateway, lifecycle);
  addResponsesDoors(server, gateway, lifecycle);
  addMediaDoors(server, gateway, lifecycle);
  addMultipartDoors(server, gateway, lifecycle);
  addObjectDoors(server, gateway, lifecycle);
  addAnthropicDoors(server, gateway, lifecycle);
  addGeminiDoors(server, gateway, lifecycle);
  addModelDoors(server, gateway, lifecycle);
  addAdminDoors(server, admin);

  const stop = async () => {
    lifecycle.phase = 'draining';
    await drain(gateway, config.server.drainTimeout);
    await closeServer(server);
    await connections.close();
    await ledger.close();
    await responses.close();
    await captures.close();
    await tokens.stop();
    await quotas.close();
    await store.close();
  };
  try {
    await recoverCalls(journalDirectory, ledger, log);
    await learnSpent(gateway.snapshot.limits, store, Date.now());
    await quotas.open();
    const { host, port } = config.server;
    const url = await server.listen({ host, port });
    // Only now: secrets that are made before a start that fails would be seen by nobody.
    const firstSecrets = await admitFirstKeys({ config, declarations, signIn, counters }, gateway, admin);
    lifecycle.phase = 'ready';
    return { url, firstSecrets, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Lets in the keys that the gateway made itself, making them at the first start. They are for a gateway that has none
 * configured: with the first tenant of the config, or an admin key in the environment, they end.
 */
async function admitFirstKeys(
  sources: Omit<SnapshotSources, 'madeKeys'>,
  gateway: Gateway,
  admin: AdminParts,
): Promise<FirstSecrets | undefined> {
  const { config } = sources;
  const hasTenants = Object.keys(config.tenants).length > 0;
  const hasAdminKey = config.adminKey !== undefined;
  const secrets = await ensureFirstKeys(admin.store, { hasTenants, hasAdminKey }, Date.now);
  const made = await readMadeKeys(admin.store);
  if (!hasTenants) {
    gateway.snapshot = compileSnapshot({ ...sources, madeKeys: made.tenantKeys });
  }
  const configured =
    config.adminKey === undefined ? [] : [{ hash: hashSecret(config.adminKey), key: 'environment' }];
  admin.keys = new KeyRing(hasAdminKey ? configured : made.adminKeys, Date.now);
  return secrets;
}

/** What no log may hold. The secrets of keys that the gateway made are nowhere but with whoever has them. */
function listLogSecrets(config: Config, { snapshot }: Gateway): string[] {
  const { tenants, adminKey } = config;
  const accounts = [...snapshot.routes.upstreams.values()].flatMap((upstream) => upstream.accounts);
  const keys = Object.values(tenants).flatMap((tenant) => tenant.keys.map(({ secret }) => secret));
  return listSecrets([
    ...accounts.flatMap((account) => account.secrets()),
    ...keys,
    adminKey,
    readPassword(storeUrl(config)),
    config.state.kind === 'redis' ? readPassword(config.state.url) : undefined,
  ]);
}

function buildPriceBook(config: Config, log: Logger): PriceBook {
  const adapters = Object.entries(config.providers).map(([name, { adapter }]) => [name, adapter] as const);
  return new PriceBook({
    prices: config.prices,
    adapters: Object.fromEntries(adapters),
    onUnknownPrice: (target, reason) =>
      log.warn(
        { event: 'unknown_price', target, reason },
        'calls of this target are recorded without a cost',
      ),
  });
}

/** Brings what killed processes left in the journal to the store. What fails is tried again at the next start. */
async function recoverCalls(directory: string, ledger: Ledger, log: Logger): Promise<void> {
  try {
    const recovery = await recoverJournals(directory, ledger);
    if (recovery.processes === 0) return;
    const fields = { event: 'journal_recovered', ...recovery };
    if (recovery.damagedLines > 0) log.error(fields, 'the journal of a killed process is damaged');
    else log.warn(fields, 'a process was killed: its calls were taken over from its journal');
  } catch (err) {
    log.error(
      { event: 'journal_recovery_failed', err },
      'what killed processes left could not be taken over',
    );
  }
}

/** pino writes an error out only where it is called `err`. */
function describeProblem(problem: LedgerProblem | JournalProblem | ArchiveProblem | CaptureProblem): object {
  if (!('error' in problem)) return problem;
  const { error: err, ...rest } = problem;
  return { ...rest, err };
}

/** Waits for running calls; those that outlast the time-out are ended with an error that their clients are told. */
async function drain(gateway: Gateway, timeoutMs: number): Promise<void> {
  await waitForCalls(gateway, timeoutMs);
  if (gateway.calls.size === 0) return;
  gateway.log.warn({ calls: gateway.calls.size }, 'calls outlast the drain time-out and are ended');
  for (const call of gateway.calls.list()) {
    interruptCall(
      call,
      new GatewayError('overloaded', 'The gateway is stopping; try again.', { retryAfterMs: 1000 }),
    );
  }
  await waitForCalls(gateway, LAST_WORDS_MS);
  for (const call of gateway.calls.list()) call.response.destroy();
}

/** Connections that are idle close at once; those that hold half a request are cut off after a moment. */
async function closeServer(server: FastifyInstance): Promise<void> {
  const cutOff = setTimeout(() => server.server.closeAllConnections(), LAST_WORDS_MS);
  await server.close();
  clearTimeout(cutOff);
}

async function waitForCalls(gateway: Gateway, timeoutMs: number): Promise<void> {
  const deadline = gateway.monotonicMs() + timeoutMs;
  while (gateway.calls.size > 0 && gateway.monotonicMs() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
  }
}

/** The password of a database's URL. */
function readPassword(url: string): string | undefined {
  return URL.canParse(url) ? decodeURIComponent(new URL(url).password) || undefined : undefined;
}

function storeUrl({ store }: Config): string {
  return store.kind === 'sqlite' ? `sqlite:${store.path}` : store.url;
}
