import type { CaptureArchive } from '../captures/capture-archive.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { GoneModels } from '../lifecycle/gone-models.ts';
import type { Places } from '../overload/places.ts';
import type { Quotas } from '../quotas/reservation.ts';
import type { ResponseArchive } from '../responses/response-archive.ts';
import type { StructureJudge } from '../schemas/structure-judge.ts';
import type { UpstreamObjects } from '../tenants/upstream-objects.ts';
import type { TokenCounter } from '../tokens/token-counter.ts';
import type { Connections } from '../upstream/connections.ts';
import type { Deadlines } from '../upstream/deadlines.ts';
import type { InFlight } from '../usage/in-flight.ts';
import type { Ledger } from '../usage/ledger.ts';
import type { PriceBook } from '../usage/prices.ts';
import type { Prepare } from './answer-kept.ts';
import type { BatchBilling } from './bill-batch.ts';
import type { Call } from './call.ts';
import type { CredentialReports } from './credentials.ts';
import type { LateCounts } from './late-counts.ts';
import type { Shadows } from './shadows.ts';
import type { Snapshot } from './snapshot.ts';
import type { Spool } from './spool.ts';

/** What the steps of a call share. Built once by `app.ts`. */
export interface Gateway {
  /** The current configuration; replaced as a whole, never changed. */
  snapshot: Snapshot;
  readonly connections: Connections;
  readonly ledger: Pick<Ledger, 'noteStart' | 'append' | 'wait'>;
  readonly lateCounts: Pick<LateCounts, 'plan'>;
  /** Responses that clients may go on from. */
  readonly responses: Pick<ResponseArchive, 'keep' | 'find' | 'remove'>;
  readonly prompts: {
    /** Makes a call that names a prompt as its model (`prompt/NAME`) one of the prompt's own model; gives the answer that is kept of it. */
    admit: Prepare;
    /**
     * What a prompt, `NAME` or `NAME@VERSION`, makes of an input of the gateway's own: a request of the chat dialect, and what records name it.
     *
     * @throws GatewayError where there is no such prompt, or it does not take the input
     */
    ask(reference: string, input: JsonObject): Promise<{ request: JsonObject; prompt: string }>;
  };
  /** Prompts and answers, of tenants that want them kept. */
  readonly captures: Pick<CaptureArchive, 'keep'>;
  /** Told of what providers make of our credentials. */
  readonly credentials: CredentialReports;
  /** Told of models that their providers do not have any more, and of those that are had again. */
  readonly gone: Pick<GoneModels, 'isAny' | 'note' | 'answered'>;
  /** Told of each call of a rollout that is over: the candidate may be sent a copy. */
  readonly shadows: Pick<Shadows, 'take'>;
  readonly log: Log;
  readonly calls: InFlight<Call>;
  /** Of attempts. */
  readonly deadlines: Deadlines;
  /** Whose it is what providers keep: files, batches, conversations, … */
  readonly objects: Pick<UpstreamObjects, 'find' | 'list' | 'ofAll' | 'bind' | 'forget'>;
  /** Told how batches are described by their providers: what one used is recorded when it has ended. */
  readonly batches: Pick<BatchBilling, 'note'>;
  /** For what is uploaded. */
  readonly uploads: { readonly spool: Pick<Spool, 'open'>; readonly maxBytes: number };
  /** Counts for providers that cannot. */
  readonly tokens: Pick<TokenCounter, 'boundConversation' | 'countConversation' | 'countTexts'>;
  /** Holds answers of rollouts against schemas. */
  readonly structures: Pick<StructureJudge, 'fit'>;
  /** Bounds how many calls run. */
  readonly places: Pick<Places, 'tryTake' | 'wait' | 'stopWaiting' | 'expire' | 'leave' | 'waiting'>;
  /** Counts calls against their limits. */
  readonly quotas: Quotas;
  readonly prices: Pick<PriceBook, 'costMicroUsd' | 'mostMicroUsd' | 'isConfigured'>;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly monotonicMs: () => number;
  /** From 0 to 1, without 1: spreads what would otherwise happen all at once. */
  readonly random: () => number;
}

/** The part of a pino logger that the data path uses. Nothing is logged for a call that goes well. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
