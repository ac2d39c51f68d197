import { GatewayError } from '../conversation/gateway-error.ts';
import type { StreamScanner } from '../dialects/pass-through.ts';
import { EventBlocks } from '../upstream/event-blocks.ts';
import type { Call } from './call.ts';
import { estimateUsage } from './estimate-usage.ts';
import type { Gateway } from './gateway.ts';
import type { AttemptControl, Receiver } from './receiver.ts';
import { beginStream } from './respond.ts';
import { settleCall } from './settle.ts';

/**
 * How long lifecycle events (role chunks, pings) are held back in the hope of real output. After that the client
 * gets what there is: its own time-outs, and those of proxies before us, run too.
 */
export const HOLD_BACK_MS = 10_000;

/** Relays a stream in the caller's own dialect as it arrives: whole events, their bytes untouched. */
export class StreamRelay implements Receiver {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #blocks = new EventBlocks();
  readonly #scanner: StreamScanner;
  #held: Buffer[] = [];

  constructor(gateway: Gateway, call: Call, attempt: AttemptControl) {
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#scanner = call.door.passThrough.streamScanner({ hideUsage: !call.includeUsage });
  }

  data(chunk: Buffer): void {
    const events = this.#blocks.push(chunk);
    if (events) this.#relay(this.#scanner.scan(events));
  }

  end(): void {
    const rest = this.#blocks.takeRest();
    if (this.#scanner.isWholeEvent(rest)) {
      this.#relay(this.#scanner.scan(Buffer.concat([rest, Buffer.from('\n\n')])));
    }
    if (this.#scanner.terminated || this.#scanner.failure) return;
    if (!this.#scanner.finished) {
      this.#attempt.fail(
        new GatewayError(
          'upstream_unavailable',
          'The provider ended its stream before the answer was complete.',
        ),
      );
      return;
    }
    this.#finish(Buffer.from(this.#scanner.closing()));
  }

  breakOff(error: GatewayError): void {
    this.account();
    settleCall(this.#gateway, this.#call, error.kind, 200);
    const { dialect } = this.#call.door;
    this.#call.response.end(dialect.streamEncoder({ includeUsage: false }).push({ type: 'error', error }));
  }

  #relay(bytes: Buffer): void {
    const { terminated, failure } = this.#scanner;
    if (failure && !this.#call.committed) {
      this.#attempt.fail(failure);
      return;
    }
    if (!this.#call.committed && !this.#mayCommit()) {
      this.#held.push(bytes);
      return;
    }
    const due = this.#takeHeld(bytes);
    if (terminated || failure) this.#finish(due);
    else if (due.length > 0 && !this.#call.response.write(due)) this.#attempt.waitForDrain();
  }

  #mayCommit(): boolean {
    const { hasOutput, terminated } = this.#scanner;
    const now = this.#gateway.monotonicMs();
    if (hasOutput) this.#call.firstTokenMs = now - this.#call.startedMs;
    return hasOutput || terminated || now - this.#call.answeredMs > HOLD_BACK_MS;
  }

  #takeHeld(bytes: Buffer): Buffer {
    if (!this.#call.committed) beginStream(this.#call);
    if (this.#held.length === 0) return bytes;
    const all = Buffer.concat([...this.#held, bytes]);
    this.#held = [];
    return all;
  }

  /** The stream said its last word: the record first, then the word. */
  #finish(last: Buffer): void {
    this.account();
    const { failure } = this.#scanner;
    this.#attempt.succeed();
    settleCall(this.#gateway, this.#call, failure ? failure.kind : 'ok', 200);
    this.#call.response.end(this.#takeHeld(last));
  }

  account(): void {
    this.#call.usage =
      this.#scanner.usage ?? estimateUsage(this.#call.body.length, this.#scanner.outputEvents);
  }
}
