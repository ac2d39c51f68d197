import type { UpstreamDialect } from '../dialects/dialect.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { PlannedAttempt } from './plan.ts';
import type { AttemptControl, Receiver } from './receiver.ts';
import { type FailedAnswer, MAX_ERROR_BYTES, readFailedAnswer } from './upstream-failure.ts';

/** The head of an answer with an error status, and how its body is to be read. */
interface FailedHead {
  dialect: UpstreamDialect;
  status: number;
  headers: Record<string, string | string[] | undefined>;
}

/** Collects an answer with an error status and fails the attempt with what it means. */
export class FailedAnswerReceiver implements Receiver {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #planned: PlannedAttempt;
  readonly #head: FailedHead;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(
    gateway: Gateway,
    call: Call,
    attempt: AttemptControl,
    planned: PlannedAttempt,
    head: FailedHead,
  ) {
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#planned = planned;
    this.#head = head;
  }

  data(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= MAX_ERROR_BYTES) this.end();
  }

  end(): void {
    this.#attempt.failAs(this.#read(Buffer.concat(this.#chunks).toString('utf8')));
  }

  /** For how long a place wants to be left alone is known by the head. Whether it refuses the call, or our account, its words decide. */
  readHead(): FailedAnswer | undefined {
    const failed = this.#read('');
    const { kind, retryAfterMs } = failed.error;
    if (failed.alarm || kind === 'upstream_rejected') return undefined;
    return kind === 'upstream_rate_limited' || retryAfterMs !== undefined ? failed : undefined;
  }

  #read(body: string): FailedAnswer {
    const { target } = this.#planned;
    const { dialect, status, headers } = this.#head;
    return readFailedAnswer(dialect, target, status, headers, body, this.#gateway.now(), this.#call);
  }

  /** An error answer generates nothing. */
  account(): void {}
  accountFailure(): void {}
}
