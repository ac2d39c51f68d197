import { isObject, tryParseJson } from '../conversation/json.ts';
import type { BatchBills } from '../tenants/batch-bills.ts';
import type { UpstreamObject } from '../tenants/upstream-objects.ts';
import { relayedRequest } from '../upstream/relayed-paths.ts';
import type { Schedule } from '../usage/ledger.ts';
import { askProvider } from './ask-provider.ts';
import { type BatchBilling, refuseForNow } from './bill-batch.ts';
import { inUse } from './credentials.ts';
import type { Gateway } from './gateway.ts';
import { bindDescribed, MAX_OBJECT_BYTES, notAnObject } from './object-relay.ts';
import { laneOfKept, targetAt } from './plan-object.ts';

/** How long nobody looks at a batch again. Most take minutes to hours. */
const INTERVAL_MS = 5 * 60_000;

/** Completion windows are a day (OpenAI) to a week (Groq): what nobody could be asked about for so long is not asked about any more. */
const GIVE_UP_MS = 30 * 24 * 3_600_000;

const AT_ONCE = 100;

export interface UnbilledBatchesOptions {
  gateway: Pick<
    Gateway,
    'snapshot' | 'connections' | 'deadlines' | 'monotonicMs' | 'objects' | 'log' | 'now'
  >;
  bills: Pick<BatchBills, 'takeDue'>;
  billing: Pick<BatchBilling, 'note' | 'giveUp'>;
  schedule: Schedule;
}

/**
 * Looks at the batches that are not billed yet, each every few minutes and by one instance: whoever makes one and never asks for it again
 * is billed, too.
 */
export class UnbilledBatches {
  readonly #options: UnbilledBatchesOptions;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: UnbilledBatchesOptions) {
    this.#options = options;
  }

  /** The first look is now: what was due while no instance ran is due. */
  start(): void {
    this.#looking = this.#look().finally(() => {
      if (!this.#isStopped) this.#cancel = this.#options.schedule(() => this.start(), INTERVAL_MS);
    });
  }

  /** Begins nothing more. What a provider is being asked goes on until it answers, or its connection ends. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** Resolves when nothing is under way. */
  settled(): Promise<void> {
    return this.#looking;
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { gateway, bills } = this.#options;
    const failing = new Set<string>();
    try {
      let due: UpstreamObject[];
      do {
        const now = gateway.now();
        due = await bills.takeDue(now - INTERVAL_MS, now, AT_ONCE);
        for (const batch of due) await this.#lookAtOne(batch, failing);
      } while (due.length === AT_ONCE && !this.#isStopped);
    } catch (err) {
      gateway.log.warn({ err }, 'batches that are not billed yet could not be looked for');
    }
  }

  /** An account that fails is not asked again in the same round. */
  async #lookAtOne(batch: UpstreamObject, failing: Set<string>): Promise<void> {
    const { gateway } = this.#options;
    const { id, provider, account } = batch;
    const place = `${provider}/${account}`;
    if (this.#isStopped || failing.has(place)) return;
    try {
      await this.#ask(batch);
    } catch (err) {
      failing.add(place);
      gateway.log.warn(
        { batch: id, provider, account, err },
        'a batch could not be looked at: it is tried again',
      );
    }
  }

  async #ask(batch: UpstreamObject): Promise<void> {
    const { gateway, billing } = this.#options;
    const { id, kind, tenant, life, key, provider, account: name, expires_at } = batch;
    const createdAt = Number(batch.created_at);
    const upstream = gateway.snapshot.routes.upstreams.get(provider);
    const account = upstream?.accounts.find((one) => one.name === name);
    const target = upstream && targetAt(upstream, 'batch');
    const asked =
      target &&
      account &&
      relayedRequest(target.upstream, account, 'batch', target.model, `/${encodeURIComponent(id)}`);
    if (!target || !account || !asked) {
      if (gateway.now() - createdAt > GIVE_UP_MS) await billing.giveUp(batch);
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    const lane = laneOfKept(gateway.snapshot.routes, target.upstream, account, 'batch');
    const planned = { target, account: inUse(account), lane };
    const status = await askProvider(gateway, planned, asked.path, (chunk) => {
      bytes += chunk.length;
      if (bytes > MAX_OBJECT_BYTES) throw notAnObject();
      chunks.push(chunk);
    });
    refuseForNow(provider, status);
    // Deleted there, or the account's organisation is another one now.
    if (status >= 300) return billing.giveUp(batch);
    const described = tryParseJson(Buffer.concat(chunks).toString('utf8'));
    if (!isObject(described) || described['id'] !== id) throw notAnObject();
    const own = { id, kind, tenant, life, key, provider, account: name, created_at: createdAt, expires_at };
    await bindDescribed(gateway.objects, { ...own, object: null, target: null }, described);
    await billing.note(batch, described);
  }
}
