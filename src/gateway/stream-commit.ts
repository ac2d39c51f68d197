import type { ServerResponse } from 'node:http';
import type { Timed } from '../upstream/deadlines.ts';
import { isSignOfLife } from '../upstream/sign-of-life.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { AttemptControl } from './receiver.ts';
import { beginStream } from './respond.ts';
import { endAnswer } from './settle.ts';
import { writeChunk } from './write-chunk.ts';

/**
 * How often a stream is looked at, and so how long lifecycle events (role chunks, pings) are held back in the hope of real output.
 * After that the client gets what there is: its own time-outs, and those of proxies before us, run too. Later it is how long a stream
 * is silent, or up to twice as long, until the client is told that it lives: load balancers cut what was idle for 60 s.
 */
const LOOK_MS = 10_000;

/**
 * A provider that began its answer and says nothing, or only that it lives, may hang, and another target might answer: the time-outs
 * `firstByte` and `idle` tell. A call older than this has long ones; its client is told that it lives before a load balancer's 60 s are over.
 */
const SILENT_CALL_MS = 45_000;

/** A comment line: it keeps connections open and means nothing (WHATWG HTML, "Server-sent events"). */
const KEEP_ALIVE = ': keep-alive\n\n';

/** Nobody sends this much before real output: whoever does is relayed rather than stored. */
const HOLD_BACK_BYTES = 256 * 1024;

/** After the last words a client that takes none of what is left for this long has gone, or might as well have. */
const STALL_MS = 10_000;

/**
 * Decides when a stream begins towards the client, from where on nothing can be taken back: at the first real output,
 * or when lifecycle events have been held back for too long or grown too many. From then on a silent stream is kept open.
 */
export class StreamCommit implements Timed {
  readonly #gateway: Gateway;
  readonly #call: Call;
  #attempt: AttemptControl;
  readonly #lookMs: number;
  #held: (Buffer | string)[] = [];
  #heldBytes = 0;
  /** The provider said something, whether anything of it is for the client or not. */
  #isHeard = false;
  /** Something was sent since the last look. */
  #isLively = false;
  /** The head of the answer has gone out, with the first bytes. */
  #isBegun = false;
  #isOver = false;
  /** Its attempt is over, and no other says anything yet. */
  #isAlone = false;
  dueMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;

  constructor(gateway: Gateway, call: Call, attempt: AttemptControl, lookMs = LOOK_MS) {
    this.#gateway = gateway;
    this.#call = call;
    this.#attempt = attempt;
    this.#lookMs = lookMs;
    gateway.deadlines.add(this, gateway.monotonicMs(), lookMs);
  }

  /** Real output has come: what is written next begins the stream. The first time counts, later ones change nothing. */
  noteOutput(): void {
    this.#attempt.noteOutput();
    this.#call.firstTokenMs ??= this.#gateway.monotonicMs() - this.#call.startedMs;
  }

  /** What the provider said, though nothing of it may be for the client. That it lives is no more than the head of its answer said. */
  noteHeard(bytes: Buffer | string): void {
    this.#isHeard ||= typeof bytes === 'string' || !isSignOfLife(bytes);
  }

  /** What keeps a silent connection open in the caller's dialect. */
  get keepAlive(): string {
    return this.#call.door.dialect.keepAlive ?? KEEP_ALIVE;
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
    this.#send(bytes);
  }

  /** The last words, after all that was held back. To be called when the call is settled. */
  end(last: Buffer | string): void {
    if (!this.#call.committed) this.#begin();
    endStream(this.#gateway, this.#call, last);
  }

  /** The attempt is over: nothing is sent any more but by `end`. */
  dispose(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#gateway.deadlines.remove(this, this.#lookMs);
  }

  /** The attempt is over, and another is to go on with the stream: until that says something its client is told that it lives. */
  outlive(): void {
    this.#isOver = false;
    this.#isAlone = true;
    this.#call.keptOpen = this;
    // In the same rhythm: silence began before the attempt was over.
    this.#gateway.deadlines.add(this, this.dueMs - this.#lookMs, this.#lookMs);
  }

  /** Another attempt goes on with the stream. */
  goOn(attempt: AttemptControl): this {
    this.#isAlone = false;
    this.#attempt = attempt;
    this.#call.keptOpen = undefined;
    return this;
  }

  expire(): void {
    if (!this.#isAlone) this.#attempt.run(() => this.#look());
    else if (this.#isLeft()) this.#isOver = true;
    else this.#look();
    if (!this.#isOver) this.#gateway.deadlines.add(this, this.#gateway.monotonicMs(), this.#lookMs);
  }

  /** Nobody goes on with the stream. */
  #isLeft(): boolean {
    const { settled, cancelled, response } = this.#call;
    return settled || cancelled || response.destroyed;
  }

  #look(): void {
    if (!this.#call.committed) {
      const callMs = this.#gateway.monotonicMs() - this.#call.startedMs;
      // Where two race, the first real output decides between them.
      if ((!this.#isHeard || this.#attempt.isRaced) && callMs < SILENT_CALL_MS) return;
      this.#begin();
    }
    // One that is slow to read has enough before it.
    if (!this.#isLively && !this.#call.response.writableNeedDrain) this.#keepAlive();
    this.#isLively = false;
  }

  #keepAlive(): void {
    const { response } = this.#call;
    const bytes = this.keepAlive;
    // Where the dialect has none, the head at least goes out.
    if (bytes === '') response.flushHeaders();
    else response.write(bytes);
  }

  #hold(bytes: Buffer | string): void {
    this.noteHeard(bytes);
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > HOLD_BACK_BYTES) this.#begin();
  }

  #begin(): void {
    this.#attempt.begin();
    beginStream(this.#call);
    // Node gathers the writes of one turn by itself, so joining the pieces would only copy them.
    for (const bytes of this.#held) this.#send(bytes);
    this.#held = [];
  }

  #send(bytes: Buffer | string): void {
    this.#isLively = true;
    const { response } = this.#call;
    const isTaken = this.#isBegun ? writeChunk(response, bytes) : response.write(bytes);
    this.#isBegun = true;
    if (!isTaken) this.#attempt.waitForDrain();
  }
}

/** What decides for the answer of an attempt: that of the one before, where this one goes on with its stream. */
export function commitStream(gateway: Gateway, call: Call, attempt: AttemptControl): StreamCommit {
  return call.keptOpen?.goOn(attempt) ?? new StreamCommit(gateway, call, attempt);
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
