import type { Worker } from 'node:cluster';
import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchConnectionOnItsWay } from './handed-connection.ts';
import { SEAT_VARIABLE, type Seat, type ToPrimary, type ToWorker } from './messages.ts';

/** What a process that is gone has sent is read in much less. */
const LAST_WORDS_MS = 1_000;

/** How a process ended. */
export interface Exit {
  /** `null` where a signal ended it. */
  code: number | null;
  signal: string | null;
}

/** A worker that ended before it took calls. */
export class StartFailure extends Error {
  readonly exit: Exit;

  constructor({ code, signal }: Exit) {
    super(
      code === null ? `a worker was ended by ${signal} before it took calls` : 'a worker could not start',
    );
    this.exit = { code, signal };
  }
}

/** One process of the workers. */
export class Member {
  /** Of the process. */
  readonly id: number;
  readonly pid: number;
  readonly seat: number;
  readonly startedAtMs: number;
  /** Resolves with where it listens when it takes calls; rejects with `StartFailure` where it ends before. */
  readonly listening: Promise<string>;
  readonly exited: Promise<Exit>;
  /** It was told to go: that it ends is no news. */
  isLeaving = false;
  /** There was no time left for it: nor is how it ends. */
  isHurried = false;
  /** It had not gone in all the time that it had for that, and was ended. */
  isOverdue = false;
  /** Somebody waits for whether it starts, and tells of its end. */
  isOnTrial = false;
  isListening = false;
  tookCalls = false;
  readonly #worker: Worker;

  constructor(seat: Seat, nowMs: number, onMessage: (message: ToPrimary) => void) {
    this.#worker = cluster.fork({ [SEAT_VARIABLE]: JSON.stringify(seat) });
    this.id = this.#worker.id;
    this.pid = this.#worker.process.pid ?? 0;
    this.seat = seat.number;
    this.startedAtMs = nowMs;
    this.exited = this.#waitForEnd();
    this.listening = new Promise((resolve, reject) => {
      this.#worker.on('message', (message: ToPrimary) => {
        if (message.kind === 'listening') {
          this.isListening = true;
          this.tookCalls = true;
          resolve(message.url);
        } else onMessage(message);
      });
      void this.exited.then((exit) => reject(new StartFailure(exit)));
    });
    // Whoever replaces a worker hears of its end in another way.
    this.listening.catch(() => undefined);
  }

  send(message: ToWorker): void {
    if (this.#worker.isConnected()) this.#worker.send(message, () => undefined);
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  /** Its process is gone, and what it sent last was read. */
  async #waitForEnd(): Promise<Exit> {
    const worker = this.#worker;
    const closeConnection = watchConnectionOnItsWay(worker.process);
    // Node may leave this event out where a connection is on its way, but then the channel is at its end.
    const drained = new Promise((resolve) => worker.process.once('disconnect', resolve));
    const exit = await new Promise<Exit>((resolve) => {
      worker.once('exit', (code: number | null, signal: string | null) => {
        this.isListening = false;
        resolve({ code: signal ? null : code, signal: signal || null });
      });
      // Of a channel that broke the end of the process tells; one that the system could not start has no end.
      worker.on('error', () => {
        if (worker.process.pid === undefined) resolve({ code: 1, signal: null });
      });
    });
    if (worker.process.connected) await Promise.race([drained, sleep(LAST_WORDS_MS)]);
    closeConnection();
    return exit;
  }
}
