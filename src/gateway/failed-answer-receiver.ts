import type { UpstreamDialect } from '../dialects/dialect.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { PlannedAttempt } from './plan.ts';
import type { AttemptControl, Receiver } from './receiver.ts';
import { MAX_ERROR_BYTES, readFailedAnswer } from './upstream-failure.ts';

/** Collects an answer with an error status and fails the attempt with what it means. */
export class FailedAnswerReceiver implements Receiver {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #planned: PlannedAttempt;
  readonly #dialect: UpstreamDialect;
  readonly #status: number;
  readonly #headers: Record<string, string | string[] | undefined>;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(
    gateway: Gateway,
    call: Call,
    attempt: AttemptControl,
    planned: PlannedAttempt,
    dialect: UpstreamDialect,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ) {
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#planned = planned;
    this.#dialect = dialect;
    this.#status = status;
    this.#headers = headers;
  }

  data(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= MAX_ERROR_BYTES) this.end();
  }

  end(): void {
    const body = Buffer.concat(this.#chunks).toString('utf8');
    const now = this.#gateway.now();
    const { target } = this.#planned;
    this.#attempt.failAs(
      readFailedAnswer(this.#dialect, target, this.#status, this.#headers, body, now, this.#call),
    );
  }

  /** An error answer generates nothing. */
  account(): void {}
  accountFailure(): void {}
}
