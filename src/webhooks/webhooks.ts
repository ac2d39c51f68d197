import type { Kysely } from 'kysely';
import { compileGlob } from '../config/glob.ts';
import type { WebhookConfig } from '../config/resolve.ts';
import { SEVERITIES } from '../config/sections/webhooks.ts';
import { tryParseJson } from '../conversation/json.ts';
import type { Database, EventRow } from '../store/schema.ts';
import { type Delivery, Outbox } from './outbox.ts';
import { sendDelivery } from './send.ts';
import { signDelivery } from './sign.ts';

/** What happened to deliveries, for the log and the operator. */
export type WebhookProblem =
  | {
      kind: 'webhook_failed';
      webhook: string;
      event: string;
      reason: string;
      attempts: number;
      retryInMs: number;
    }
  | { kind: 'webhook_given_up'; webhook: string; event: string; reason: string; attempts: number }
  /** More wait than are kept: the oldest are not sent. */
  | { kind: 'webhook_full'; webhook: string }
  /** The store cannot be asked what is due. */
  | { kind: 'webhook_store_failed'; error: unknown };

export interface WebhooksOptions {
  db: Kysely<Database>;
  /** Those in force. */
  webhooks(): Readonly<Record<string, WebhookConfig>>;
  fetch: typeof globalThis.fetch;
  /** Unix milliseconds. */
  now(): number;
  /** From 0 to 1. */
  random(): number;
  schedule(task: () => void, delayMs: number): () => void;
  onProblem(problem: WebhookProblem): void;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** After each attempt that failed, before the next: two days in all; after the last it is given up. */
const RETRY_MS = [
  ...[5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE],
  ...[HOUR, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 16 * HOUR],
] as const;
const LONGEST_RETRY_AFTER_MS = 24 * HOUR;

/** How often the store is asked for what is due: of this instance, and what others left. */
const LOOK_EVERY_MS = 5 * SECOND;
/** Longer than a delivery takes; an instance that is killed meanwhile has it sent again after that. */
const LEASE_MS = MINUTE;
/** One after the other to one webhook, all within the lease. */
const AT_ONCE = 3;
/** How long a webhook that fails is left alone, whatever else is due for it; twice as long after each failure. */
const FIRST_PAUSE_MS = 5 * SECOND;
const LONGEST_PAUSE_MS = 5 * MINUTE;

/** Events about webhooks are in the log and the store alone: a webhook that fails would be told of its own failures for ever. */
export const OWN_EVENTS = 'webhook_';

/**
 * Sends events to webhooks, signed, and again where that fails. Nothing waits for it: what is to be sent is in the store, and a
 * webhook that hangs or is away holds up no other.
 */
export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #outbox: Outbox;
  readonly #stopping = new AbortController();
  /** Those that something is under way to. */
  readonly #busy = new Map<string, Promise<void>>();
  readonly #pauses = new Map<string, { untilMs: number; lengthMs: number }>();
  #cancelLook: (() => void) | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isStoreFailing = false;
  /** Something came while it was looked for what is due. */
  #isWanted = false;
  #forgetAt = 0;

  constructor(options: WebhooksOptions) {
    this.#options = options;
    this.#outbox = new Outbox(options.db);
  }

  /** Begins to send what is due, and goes on looking for it. */
  start(): void {
    this.#lookAfter(0);
  }

  /** Notes for which webhooks an event is, in the transaction that it is written in. */
  async note(db: Kysely<Database>, event: EventRow): Promise<void> {
    const names = namesFor(event, this.#options.webhooks());
    if (names.length === 0) return;
    const full = await this.#outbox.add(db, event.id, names, this.#options.now());
    for (const webhook of full) this.#options.onProblem({ kind: 'webhook_full', webhook });
  }

  /** An event was written: what it is for need not wait to be looked for. */
  wake(): void {
    if (this.#cancelLook) this.#lookAfter(0);
    else this.#isWanted = true;
  }

  /** Gives up what is under way: it is sent when a lease is over, by whoever looks. */
  async stop(): Promise<void> {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    this.#stopping.abort();
    await this.#looking;
    await Promise.all(this.#busy.values());
  }

  #lookAfter(delayMs: number): void {
    this.#cancelLook?.();
    this.#cancelLook = this.#options.schedule(() => {
      this.#cancelLook = undefined;
      this.#looking = this.#look();
    }, delayMs);
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    this.#isWanted = false;
    try {
      const webhooks = this.#options.webhooks();
      await this.#forgetOthers(Object.keys(webhooks));
      for (const [name, webhook] of Object.entries(webhooks)) {
        if (!this.#isFree(name)) continue;
        const { now } = this.#options;
        const due = await this.#outbox.take(name, now(), now() + LEASE_MS, AT_ONCE);
        if (due.length === 0) continue;
        const sending = this.#sendAll(webhook, due).finally(() => {
          this.#busy.delete(name);
          // There may be more.
          this.wake();
        });
        this.#busy.set(name, sending);
      }
      this.#isStoreFailing = false;
    } catch (error) {
      if (!this.#isStoreFailing) this.#options.onProblem({ kind: 'webhook_store_failed', error });
      this.#isStoreFailing = true;
    }
    if (!this.#stopping.signal.aborted && !this.#cancelLook) {
      this.#lookAfter(this.#isWanted ? 0 : LOOK_EVERY_MS);
    }
  }

  async #forgetOthers(webhooks: readonly string[]): Promise<void> {
    const now = this.#options.now();
    if (now < this.#forgetAt) return;
    this.#forgetAt = now + HOUR;
    await this.#outbox.keepOnly(webhooks, now - HOUR);
  }

  #isFree(name: string): boolean {
    const { untilMs } = this.#pauses.get(name) ?? { untilMs: 0 };
    return !this.#busy.has(name) && untilMs <= this.#options.now() && !this.#stopping.signal.aborted;
  }

  /** Never rejects. */
  async #sendAll(webhook: WebhookConfig, deliveries: readonly Delivery[]): Promise<void> {
    try {
      let isDown = false;
      for (const delivery of deliveries) {
        // Those behind one that failed wait with it.
        if (isDown) await this.#outbox.putOff(delivery, delivery.attempts, this.#options.now());
        else isDown = !(await this.#send(webhook, delivery));
      }
    } catch (error) {
      // They are sent again when their lease is over: receivers know by the id that they have had them.
      this.#options.onProblem({ kind: 'webhook_store_failed', error });
    }
  }

  /** Gives whether the webhook took it. */
  async #send(webhook: WebhookConfig, delivery: Delivery): Promise<boolean> {
    const { fetch, now, onProblem } = this.#options;
    const { event } = delivery;
    const body = writeBody(event);
    const id = `evt_${event.id}`;
    const secrets = [webhook.secret, webhook.previousSecret].filter((secret) => secret !== undefined);
    const headers = signDelivery(id, now(), body, secrets);
    const sent = await sendDelivery(fetch, webhook.url, headers, body, now(), this.#stopping.signal);
    if (this.#stopping.signal.aborted && !sent.ok) {
      await this.#outbox.putOff(delivery, delivery.attempts, now());
      return false;
    }
    if (sent.ok) {
      this.#pauses.delete(delivery.webhook);
      await this.#outbox.remove(delivery);
      return true;
    }
    const attempts = delivery.attempts + 1;
    const told = { webhook: delivery.webhook, event: event.id, reason: sent.reason, attempts };
    const namedMs = Math.min(sent.retryAfterMs, LONGEST_RETRY_AFTER_MS);
    this.#pause(delivery.webhook, namedMs);
    const pauseMs = RETRY_MS[attempts - 1];
    if (sent.gone || pauseMs === undefined) {
      await this.#outbox.remove(delivery);
      onProblem({ kind: 'webhook_given_up', ...told });
      return false;
    }
    const retryInMs = Math.max(this.#jitter(pauseMs), namedMs);
    await this.#outbox.putOff(delivery, attempts, now() + retryInMs);
    onProblem({ kind: 'webhook_failed', ...told, retryInMs });
    return false;
  }

  /** `namedMs`: how long it wants to be left alone by its own word. */
  #pause(webhook: string, namedMs: number): void {
    const before = this.#pauses.get(webhook)?.lengthMs;
    const lengthMs = before === undefined ? FIRST_PAUSE_MS : Math.min(2 * before, LONGEST_PAUSE_MS);
    // Its end is looked for in steps of `LOOK_EVERY_MS`.
    this.#pauses.set(webhook, { untilMs: this.#options.now() + Math.max(lengthMs, namedMs), lengthMs });
  }

  /** From three quarters to five quarters of it: what failed together does not come back together. */
  #jitter(pauseMs: number): number {
    return Math.round(pauseMs * (0.75 + this.#options.random() / 2));
  }
}

function namesFor(event: EventRow, webhooks: Readonly<Record<string, WebhookConfig>>): string[] {
  if (event.kind.startsWith(OWN_EVENTS)) return [];
  return Object.entries(webhooks)
    .filter(([, webhook]) => isWanted(event, webhook))
    .map(([name]) => name);
}

function isWanted({ kind, severity }: EventRow, webhook: WebhookConfig): boolean {
  if (SEVERITIES.indexOf(severity) < SEVERITIES.indexOf(webhook.severity)) return false;
  return webhook.events.some((pattern) => compileGlob(pattern)(kind));
}

/** The same however often it is sent. */
function writeBody({ id, created_at, kind, severity, message, details }: EventRow): string {
  const timestamp = new Date(Number(created_at)).toISOString();
  const data = { id, severity, message, details: tryParseJson(details) ?? null };
  return JSON.stringify({ type: kind, timestamp, data });
}
