import { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import { addUsage, inputTokens, NO_USAGE, outputTokens, type Usage } from '../conversation/usage.ts';
import {
  type EndedBatch,
  type ModelUse,
  OutputSum,
  readEndedBatch,
  readOutputLine,
} from '../dialects/media/batch.ts';
import type { BatchBill, BatchBills } from '../tenants/batch-bills.ts';
import type { Owner } from '../tenants/owner.ts';
import type { UpstreamObject } from '../tenants/upstream-objects.ts';
import { relayedRequest } from '../upstream/relayed-paths.ts';
import { boundUsage } from '../usage/call-row.ts';
import { type AttemptRecord, OPERATIONS, type Operation, type UsageRecord } from '../usage/record.ts';
import { askProvider } from './ask-provider.ts';
import { isBlank, LineCutter } from './batch-lines.ts';
import { inUse } from './credentials.ts';
import type { Gateway } from './gateway.ts';
import { laneOfKept, targetAt } from './plan-object.ts';

/** The tier that what runs in a batch is priced by. */
const TIER = 'batch';

/** Whose answers cost otherwise than text: their tokens are recorded, and no cost. All else is a `batch`. */
const OPERATION_OF_ENDPOINT: ReadonlyMap<string, Operation> = new Map([
  ['/v1/images/generations', 'image'],
  ['/v1/images/edits', 'image_edit'],
]);

/** A line of an output holds an answer, which may be longer than a request. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

type BillingGateway = Pick<
  Gateway,
  'snapshot' | 'connections' | 'deadlines' | 'monotonicMs' | 'prices' | 'log' | 'now'
>;

/** What names a batch. */
export type BatchPlace = Pick<UpstreamObject, 'id' | 'provider' | 'account'>;

interface TargetUse {
  target: string;
  usage: Usage;
}

export interface BatchBillingOptions {
  gateway: () => BillingGateway;
  bills: Pick<BatchBills, 'findUnbilled' | 'begin' | 'finish'>;
  /** Whether it is the tenant that has its name now: not an earlier one, and not one that was taken away. */
  isPresent: (owner: Owner) => boolean;
  /** An id of a record that starts at a moment, Unix milliseconds. */
  makeId: (startMs: number) => string;
  /**
   * Takes a record into the store and into the budgets that it concerns: once, however often it is told the same one. They count no less
   * than `leastMicroUsd`, also where its cost is not known.
   */
  charge: (record: UsageRecord, leastMicroUsd: number) => Promise<void>;
}

/** Writes the usage record of a batch when it is seen to have ended. */
export class BatchBilling {
  readonly #gateway: () => BillingGateway;
  readonly #bills: BatchBillingOptions['bills'];
  readonly #isPresent: BatchBillingOptions['isPresent'];
  readonly #makeId: BatchBillingOptions['makeId'];
  readonly #charge: BatchBillingOptions['charge'];
  /** By what is billed. */
  readonly #billing = new Map<string, Promise<void>>();

  constructor({ gateway, bills, isPresent, makeId, charge }: BatchBillingOptions) {
    this.#gateway = gateway;
    this.#bills = bills;
    this.#isPresent = isPresent;
    this.#makeId = makeId;
    this.#charge = charge;
  }

  /**
   * A batch was seen as its provider describes it now. Resolves when it is billed, if that is due; where its output is to be read
   * for that, at once. Never rejects: what fails is done when it is seen again.
   */
  async note(place: BatchPlace, described: JsonObject): Promise<void> {
    const ended = readEndedBatch(described);
    if (!ended) return;
    const billed = this.#billOnce(place, ended);
    if (ended.usage || !ended.outputFile) await billed;
  }

  /** The same where nothing is known of it any more but that it was there. */
  async giveUp(place: BatchPlace): Promise<void> {
    await this.#billOnce(place, {
      usage: undefined,
      model: undefined,
      endpoint: undefined,
      outputFile: undefined,
    });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#billing.values());
  }

  #billOnce(place: BatchPlace, ended: EndedBatch): Promise<void> {
    const name = JSON.stringify([place.provider, place.account, place.id]);
    const known = this.#billing.get(name);
    if (known) return known;
    const billed = this.#bill(place, ended)
      .catch((err: unknown) => {
        const { id: batch, provider } = place;
        this.#gateway().log.error(
          { event: 'batch_not_billed', batch, provider, err },
          'what a batch used could not be recorded: it is tried again',
        );
      })
      .finally(() => this.#billing.delete(name));
    this.#billing.set(name, billed);
    return billed;
  }

  async #bill(place: BatchPlace, ended: EndedBatch): Promise<void> {
    const batch = await this.#bills.findUnbilled(place);
    if (!batch) return;
    const uses = ended.usage
      ? [{ model: ended.model, usage: ended.usage }]
      : await this.#readOutput(batch, ended);
    const bill = await this.#bills.begin(batch, this.#proposeBill(batch));
    if (uses.length === 0) {
      const { tenant, provider, id } = batch;
      this.#gateway().log.warn(
        { event: 'batch_without_usage', call: bill.recordId, tenant, provider, batch: id },
        'a batch is recorded without its usage and its cost: neither its provider nor its output says what it used',
      );
    }
    const used = uses.map(({ model = ended.model, usage }) => ({
      target: targetOf(batch, model),
      usage: boundUsage(usage),
    }));
    const record = this.#makeRecord(batch, bill, ended, used);
    await this.#charge(record, record.costMicroUsd ?? this.#priceAsStandard(record, used));
    await this.#bills.finish(batch);
  }

  /**
   * What a batch used is spent when it is known, for a period that is over is not looked at any more. That of a tenant that was taken
   * away is none of the next one's of its name: it is spent when the batch was made.
   */
  #proposeBill({ tenant, life, created_at: createdAt }: UpstreamObject): BatchBill {
    const isPresent = this.#isPresent({ tenant, life: Number(life) });
    const spentAt = isPresent ? this.#gateway().now() : Number(createdAt);
    return { recordId: this.#makeId(spentAt), spentAt };
  }

  #makeRecord(
    batch: UpstreamObject,
    { recordId, spentAt }: BatchBill,
    ended: EndedBatch,
    used: readonly TargetUse[],
  ): UsageRecord {
    const { tenant, key, account } = batch;
    const operation = OPERATION_OF_ENDPOINT.get(ended.endpoint ?? '') ?? 'batch';
    const parts = used.map(({ target, usage }) => {
      const inTier = { ...usage, tier: TIER };
      const costMicroUsd = this.#price(operation, target, inTier, spentAt);
      return { ...attemptOf(target, account), usage: inTier, costMicroUsd };
    });
    const target = parts.at(-1)?.target ?? targetOf(batch, ended.model);
    return {
      ...{ id: recordId, startedAt: spentAt, tenant, key, dialect: 'chat', operation },
      ...{ model: target, target, stream: false },
      usage: parts.length > 0 ? { ...parts.reduce(addPart, NO_USAGE), tier: TIER } : null,
      costMicroUsd: sumCosts(parts),
      ...{ outcome: 'ok', status: 200, latencyMs: 0, firstTokenMs: null },
      // Of several models each tells its own; of one the record does.
      attempts: parts.length > 1 ? parts : [attemptOf(target, account)],
    };
  }

  #price(operation: Operation, target: string, usage: Usage, at: number): number | null {
    if (inputTokens(usage) + outputTokens(usage) === 0) return 0;
    if ('unpriced' in OPERATIONS[operation]) return null;
    return this.#gateway().prices.costMicroUsd(target, usage, at);
  }

  /** Of a batch whose tier has no price, as of a call: a budget counts the standard one, or it would be no limit there. */
  #priceAsStandard({ operation, startedAt }: UsageRecord, used: readonly TargetUse[]): number {
    let sum = 0;
    for (const { target, usage } of used) sum += this.#price(operation, target, usage, startedAt) ?? 0;
    return sum;
  }

  /** Empty where nobody says what it used. */
  async #readOutput(
    { id: batch, provider, account: name }: UpstreamObject,
    ended: EndedBatch,
  ): Promise<ModelUse[]> {
    const { outputFile } = ended;
    if (outputFile === undefined) return [];
    const gateway = this.#gateway();
    const upstream = gateway.snapshot.routes.upstreams.get(provider);
    const account = upstream?.accounts.find((one) => one.name === name);
    const target = upstream && targetAt(upstream, 'file');
    const suffix = `/${encodeURIComponent(outputFile)}/content`;
    const asked = target && account && relayedRequest(target.upstream, account, 'file', target.model, suffix);
    if (!target || !account || !asked) return [];
    const sum = new OutputSum();
    const cutter = new LineCutter(MAX_LINE_BYTES);
    const addLines = (lines: readonly Buffer[]) => {
      for (const line of lines) {
        const use = isBlank(line) ? undefined : readOutputLine(line);
        if (use) sum.add(use);
      }
    };
    try {
      const lane = laneOfKept(gateway.snapshot.routes, target.upstream, account, 'file');
      const planned = { target, account: inUse(account), lane };
      const status = await askProvider(gateway, planned, asked.path, (bytes) => addLines(cutter.push(bytes)));
      refuseForNow(target.upstream.name, status);
      if (status >= 300) return [];
      addLines(cutter.end());
    } catch (thrown) {
      // What cannot be read, can never be; all else is tried again.
      if (!(thrown instanceof GatewayError) || !isOfLines(thrown)) throw thrown;
      gateway.log.warn({ batch, reason: thrown.message }, 'the output of a batch cannot be read');
      return [];
    }
    return sum.list();
  }
}

/** @throws GatewayError for an answer that may be another one later */
export function refuseForNow(provider: string, status: number): void {
  if (status !== 401 && status !== 403 && status !== 408 && status !== 429 && status < 500) return;
  throw new GatewayError(
    'upstream_unavailable',
    `The provider '${provider}' answered with status ${status}.`,
  );
}

/** The models of its lines are its provider's, in the provider's words. */
function targetOf({ provider }: BatchPlace, model = 'batches'): string {
  return `${provider}/${model}`;
}

function addPart(sum: Usage, { usage }: { usage: Usage }): Usage {
  return addUsage(sum, usage);
}

/** What has no price makes the whole one unknown, and so does a batch of which nothing is known. */
function sumCosts(parts: readonly { costMicroUsd: number | null }[]): number | null {
  let sum: number | null = parts.length > 0 ? 0 : null;
  for (const { costMicroUsd } of parts) {
    sum = sum === null || costMicroUsd === null ? null : sum + costMicroUsd;
  }
  return sum;
}

function isOfLines({ kind }: GatewayError): boolean {
  return kind === 'invalid_request' || kind === 'payload_too_large';
}

function attemptOf(target: string, account: string): AttemptRecord {
  return { target, account, startedAfterMs: 0, durationMs: 0, status: 200, outcome: 'ok' };
}
