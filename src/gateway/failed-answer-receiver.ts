import { GatewayError } from '../conversation/gateway-error.ts';
import { tryParseJson } from '../conversation/json.ts';
import type { UpstreamDialect } from '../dialects/dialect.ts';
import type { Timed } from '../upstream/deadlines.ts';
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

/** Words of an error that are not there so long after its head are not waited for to know how the place does. */
const HEAD_MS = 100;

/** Nor is the call any longer than this, behind that: an error says little, and at once. */
const BODY_MS = 2_000;

/** Collects an answer with an error status and fails the attempt with what it means, after a few seconds with what is known by then. */
export class FailedAnswerReceiver implements Receiver, Timed {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #planned: PlannedAttempt;
  readonly #head: FailedHead;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isOver = false;
  #waitMs = HEAD_MS;
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;

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
    this.#wait(HEAD_MS);
  }

  data(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= MAX_ERROR_BYTES) this.end();
  }

  end(): void {
    this.#attempt.failAs(this.#read(this.#body));
  }

  /** For how long a place wants to be left alone is known by the head. Whether it refuses the call, or our account, its words decide. */
  readHead(): FailedAnswer | undefined {
    const failed = this.#read('');
    const { kind, retryAfterMs } = failed.error;
    if (failed.alarm || kind === 'upstream_rejected') return undefined;
    return kind === 'upstream_rate_limited' || retryAfterMs !== undefined ? failed : undefined;
  }

  expire(): void {
    if (this.#waitMs === HEAD_MS) {
      // That it fails is known, too, though not yet what its client is told.
      const failed = this.readHead() ?? (this.#head.status >= 500 ? this.#read('') : undefined);
      if (failed) this.#attempt.noteHead(failed.error);
      this.#wait(BODY_MS);
    } else {
      this.#attempt.run(() => this.#endWithout());
    }
  }

  /** Its words may be whole, though nothing says so. */
  #endWithout(): void {
    if (tryParseJson(this.#body) !== undefined) {
      this.end();
      return;
    }
    const { name } = this.#planned.target.upstream;
    const message = `The provider '${name}' answered ${this.#head.status} and did not say why in time.`;
    this.#attempt.fail(new GatewayError('upstream_timeout', message, { reason: 'idle_timeout' }));
  }

  dispose(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#gateway.deadlines.remove(this, this.#waitMs);
  }

  #wait(ms: number): void {
    this.#waitMs = ms;
    this.#gateway.deadlines.add(this, this.#gateway.monotonicMs(), ms);
  }

  get #body(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
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
