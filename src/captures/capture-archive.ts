import type { CaptureRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { type Schedule, scheduleTimeout } from '../usage/ledger.ts';
import type { CapturedCall } from './capture.ts';
import { CaptureThread } from './capture-thread.ts';

/** What an operator has to know. */
export type CaptureProblem =
  /** It could not be made or written; its call is recorded all the same. `full`: too many waited. */
  | { kind: 'capture_lost'; call: string; reason: 'full' | 'closed' | 'failed'; error?: unknown }
  | { kind: 'redaction_timed_out'; call: string; tenant: string }
  | { kind: 'sweep_failed'; error: unknown };

export interface CaptureArchiveOptions {
  store: Pick<Store, 'db'>;
  onProblem: (problem: CaptureProblem) => void;
  /** Unix milliseconds. */
  now: () => number;
  schedule?: Schedule;
  thread?: CaptureThread;
  /** What may wait to be written. */
  maxPending?: number;
  maxPendingBytes?: number;
}

const MAX_PENDING = 1_000;
const MAX_PENDING_BYTES = 64 * 1024 * 1024;
const WRITE_ATTEMPTS = 4;
const FIRST_RETRY_MS = 250;
/** How often what has expired is deleted. */
const SWEEP_MS = 10 * 60_000;
const SWEEP_ROWS = 500;

/**
 * Prompts and answers of the tenants that want them kept. They are made and written one by one, off the way of the
 * calls; what waits is bounded, and what finds no room is told of and not kept. No usage record depends on it.
 */
export class CaptureArchive {
  readonly #db: Store['db'];
  readonly #onProblem: CaptureArchiveOptions['onProblem'];
  readonly #now: () => number;
  readonly #schedule: Schedule;
  readonly #thread: CaptureThread;
  readonly #maxPending: number;
  readonly #maxPendingBytes: number;
  readonly #pending: CapturedCall[] = [];
  #pendingBytes = 0;
  #working: Promise<void> | undefined;
  #cancelSweep: (() => void) | undefined;
  #sweeping: Promise<void> | undefined;
  #closed = false;

  constructor(options: CaptureArchiveOptions) {
    this.#db = options.store.db;
    this.#onProblem = options.onProblem;
    this.#now = options.now;
    this.#schedule = options.schedule ?? scheduleTimeout;
    this.#thread = options.thread ?? new CaptureThread();
    this.#maxPending = options.maxPending ?? MAX_PENDING;
    this.#maxPendingBytes = options.maxPendingBytes ?? MAX_PENDING_BYTES;
    this.#sweepAfter(0);
  }

  /** Takes a call that is over. */
  keep(call: CapturedCall): void {
    const isFull =
      this.#pending.length >= this.#maxPending || this.#pendingBytes + sizeOf(call) > this.#maxPendingBytes;
    if (this.#closed || isFull) {
      this.#onProblem({ kind: 'capture_lost', call: call.id, reason: this.#closed ? 'closed' : 'full' });
      return;
    }
    this.#pending.push(call);
    this.#pendingBytes += sizeOf(call);
    this.#working ??= this.#work();
  }

  /** Takes nothing more and writes what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelSweep?.();
    await this.#sweeping;
    await this.#working;
    await this.#thread.stop();
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    for (let call = this.#pending[0]; call; call = this.#pending[0]) {
      try {
        await this.#write(await this.#compose(call));
      } catch (error) {
        this.#onProblem({ kind: 'capture_lost', call: call.id, reason: 'failed', error });
      }
      this.#pending.shift();
      this.#pendingBytes -= sizeOf(call);
    }
    this.#working = undefined;
  }

  async #compose(call: CapturedCall): Promise<CaptureRow> {
    const { id, tenant, startedAt, policy, form, stream, request, answer } = call;
    const { redact, retentionMs } = policy;
    const bytes = answer.missed ? null : answer.read();
    const made = await this.#thread.compose({ form, stream, redact, request, answer: bytes });
    if (made.gap === 'redaction_timed_out') this.#onProblem({ kind: made.gap, call: id, tenant });
    return {
      call_id: id,
      tenant,
      expires_at: startedAt + retentionMs,
      request: made.request,
      response: made.response,
      truncated: made.truncated ? 1 : 0,
      gap: made.gap,
    };
  }

  async #write(row: CaptureRow): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#db
          .insertInto('captures')
          .values(row)
          .onConflict((conflict) => conflict.column('call_id').doNothing())
          .execute();
        return;
      } catch (error) {
        if (attempt === WRITE_ATTEMPTS) throw error;
        await new Promise<void>((resolve) => this.#schedule(resolve, FIRST_RETRY_MS * 2 ** attempt));
      }
    }
  }

  #sweepAfter(delayMs: number): void {
    this.#cancelSweep = this.#schedule(() => {
      this.#sweeping = this.#sweep();
    }, delayMs);
  }

  /** Deletes what has expired, the oldest rows first, so that nobody waits long. Never rejects. */
  async #sweep(): Promise<void> {
    let delayMs = SWEEP_MS;
    try {
      const expired = await this.#db
        .selectFrom('captures')
        .select('expires_at')
        .where('expires_at', '<=', this.#now())
        .orderBy('expires_at')
        .limit(SWEEP_ROWS)
        .execute();
      const last = expired.at(-1);
      if (last) await this.#db.deleteFrom('captures').where('expires_at', '<=', last.expires_at).execute();
      if (expired.length === SWEEP_ROWS) delayMs = 0;
    } catch (error) {
      this.#onProblem({ kind: 'sweep_failed', error });
    }
    if (!this.#closed) this.#sweepAfter(delayMs);
  }
}

function sizeOf({ request, answer }: CapturedCall): number {
  return request.length + answer.byteLength;
}
