import type { ServerResponse } from 'node:http';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { AttemptControl } from './receiver.ts';
import { beginStream } from './respond.ts';
import { endAnswer } from './settle.ts';

/**
 * How long lifecycle events (role chunks, pings) are held back in the hope of real output. After that the client
 * gets what there is: its own time-outs, and those of proxies before us, run too.
 */
const HOLD_BACK_MS = 10_000;

/** Nobody sends this much before real output: whoever does is relayed rather than stored. */
const HOLD_BACK_BYTES = 256 * 1024;

/** After the last words a client that takes none of what is left for this long has gone, or might as well have. */
const STALL_MS = 10_000;

/**
 * Decides when a stream begins towards the client, from where on nothing can be taken back: at the first real output,
 * or when lifecycle events have been held back for too long or grown too many.
 */
export class StreamCommit {
  readonly #gateway: Gateway;
  readonly #call: Call;
  readonly #attempt: AttemptControl;
  readonly #holdBackMs: number;
  #held: (Buffer | string)[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(gateway: Gateway, call: Call, attempt: AttemptControl, holdBackMs = HOLD_BACK_MS) {
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#holdBackMs = holdBackMs;
  }

  /** Real output has come: what is written next begins the stream. The first time counts, later ones change nothing. */
  noteOutput(): void {
    this.#call.firstTokenMs ??= this.#gateway.monotonicMs() - this.#call.startedMs;
  }

  /** Sends to the client, or holds back what may still have to be taken back. */
  write(bytes: Buffer | string): void {
    if (bytes.length === 0) return;
    this.#call.tap?.push(bytes);
    if (!this.#call.committed) {
      if (this.#call.firstTokenMs === undefined) {
        this.#hold(bytes);
        return;
      }
      this.#begin();
    }
    if (!this.#call.response.write(bytes)) this.#attempt.waitForDrain();
  }

  /** The last words, after all that was held back. To be called when the call is settled. */
  end(last: Buffer | string): void {
    if (!this.#call.committed) this.#begin();
    endStream(this.#gateway, this.#call, last);
  }

  /** The attempt is over: nothing is sent any more but by `end`. */
  dispose(): void {
    clearTimeout(this.#timer);
  }

  #hold(bytes: Buffer | string): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > HOLD_BACK_BYTES) this.#begin();
    else this.#timer ??= setTimeout(() => this.#attempt.run(() => this.#begin()), this.#holdBackMs);
  }

  #begin(): void {
    clearTimeout(this.#timer);
    beginStream(this.#call);
    // Node gathers the writes of one turn by itself, so joining the pieces would only copy them.
    for (const bytes of this.#held) {
      if (!this.#call.response.write(bytes)) this.#attempt.waitForDrain();
    }
    this.#held = [];
  }
}

/** Ends the stream of a call that is settled. */
export function endStream(gateway: Gateway, call: Call, last: Buffer | string): void {
  limitStall(call.response);
  endAnswer(gateway, call, last);
}

/**
 * Sees to it that a client which does not read the end of its stream does not hold the connection for ever. The
 * socket's own time-out counts from the last progress, so a slow reader gets all; after a whole answer Node replaces
 * it with that of idle connections.
 */
export function limitStall(response: ServerResponse, stallMs = STALL_MS): void {
  response.setTimeout(stallMs, () => response.destroy());
}
