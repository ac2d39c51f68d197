import { setImmediate } from 'node:timers';
import { Redis } from 'ioredis';
import type { Schedule } from '../usage/ledger.ts';
import { BRING_IN, MOVE, RECOVER, RENEW, RESERVE, SETTLE } from './redis-scripts.ts';
import { LOST, packCalls, type ScriptCall, STATE_KEY, STATE_TTL_MS } from './script-frame.ts';

const SCRIPTS = {
  reserve: RESERVE,
  move: MOVE,
  settle: SETTLE,
  renew: RENEW,
  bringIn: BRING_IN,
  recover: RECOVER,
} as const;
export type ScriptName = keyof typeof SCRIPTS;

/** Sent as one where they are asked for in one turn of the event loop, in this order: what was given back can be taken. */
const GATHERED = ['settle', 'reserve'] as const satisfies ScriptName[];
/** A Redis serves nobody else while a script runs. */
const MOST_GATHERED = 64;

interface Asked {
  name: ScriptName;
  call: ScriptCall;
  resolve(reply: unknown): void;
  reject(error: unknown): void;
}

/** How often a Redis that is away is looked for. */
const PROBE_MS = 250;
const CONNECT_MS = 2_000;
/** The start of the gateway waits no longer for it. */
const OPEN_MS = 2_000;
/** A connection that has said nothing for this long while it was asked is taken for dead. */
const SILENT_MS = 5_000;
const LONGEST_RECONNECT_MS = 500;

/** The counters have lost what they had: the script did nothing. */
export class DataLost extends Error {
  constructor() {
    super('it lost its data');
  }
}

/** Nobody waits for the answer any more. */
export class Unanswered extends Error {
  /** It may come all the same, before that of anything that is asked later. */
  readonly late: Promise<unknown>;

  constructor(message: string, late: Promise<unknown>) {
    super(message);
    this.late = late;
  }

  /** Of one of those that were asked as one. */
  of(index: number): Unanswered {
    const late = this.late.then((replies) => (Array.isArray(replies) ? replies[index] : replies));
    // Who does not wait for it does not care why it never came.
    late.catch(() => {});
    return new Unanswered(this.message, late);
  }
}

/** Told when the counters go away and come back. What `onBack` gives is waited for before anybody is asked again. */
export interface SharedListener {
  onAway(reason: string): void;
  /** Their data are others than before, of which nothing is known yet. Comes before `onBack`. */
  onLost(): void;
  /** `lost`: without what calls under way had taken there. */
  onBack(lost: boolean): Promise<void>;
  /** They are asked from now on. */
  onHere(): void;
}

export interface SharedCountersOptions {
  url: string;
  /** A name that no other process has. */
  instance: string;
  /** Longer than this no call waits for the counters. */
  replyMs: number;
  schedule: Schedule;
  listener: SharedListener;
}

/**
 * The counters in a Redis, asked within a bounded time. When it does not answer in time once, it is away, and nobody
 * waits for it until it has answered a probe and `onBack` is done.
 */
export class SharedCounters {
  readonly #redis: Redis;
  readonly #instance: string;
  readonly #replyMs: number;
  readonly #schedule: Schedule;
  readonly #listener: SharedListener;
  readonly #digests = new Map<ScriptName, string>();
  /** Asked for in this turn of the event loop. */
  readonly #gathered: Asked[] = [];
  /** `joining`: it answers, and is being told what was counted without it. */
  #state: 'here' | 'joining' | 'away' = 'away';
  #cancelProbe: (() => void) | undefined;
  /** The mark of the data there, once it was read. */
  #mark: string | undefined;
  #marksMade = 0;
  /** What was taken there is not there any more, and was not brought in yet. */
  #lost = false;
  #closed = false;
  /** Looks for the Redis that are under way: one may wait for others while the next has begun. */
  readonly #probing = new Set<Promise<void>>();

  constructor({ url, instance, replyMs, schedule, listener }: SharedCountersOptions) {
    this.#instance = instance;
    this.#replyMs = replyMs;
    this.#schedule = schedule;
    this.#listener = listener;
    this.#redis = new Redis(url, {
      lazyConnect: true,
      // Whoever asks decides what happens without an answer: nothing is queued or sent again behind its back.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_MS,
      socketTimeout: SILENT_MS,
      retryStrategy: (times) => Math.min(times * 50, LONGEST_RECONNECT_MS),
      connectionName: 'fairlead',
    });
    // The commands that fail tell; without a listener an 'error' would be written to the console.
    this.#redis.on('error', (error) => this.#lose(error.message));
    this.#redis.on('close', () => this.#lose('the connection was closed'));
  }

  get isHere(): boolean {
    return this.#state === 'here';
  }

  /** Looks for the Redis. Resolves when it was found, or not; it is looked for again by itself then. */
  async open(): Promise<void> {
    try {
      await this.#within(this.#redis.connect(), OPEN_MS);
    } catch (error) {
      this.#listener.onAway(reasonOf(error));
      this.#probeLater();
      return;
    }
    await this.#look();
    if (!this.isHere) this.#listener.onAway('it does not answer');
  }

  /**
   * Runs a script. Rejects where there is no answer in time; whether the script runs all the same is not known then. With `DataLost`
   * where it did nothing.
   */
  run(name: ScriptName, call: ScriptCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const asked = { name, call, resolve, reject };
      if (!isGathered(name)) {
        this.#flush();
        this.#ask(name, [asked]);
        return;
      }
      this.#gathered.push(asked);
      if (this.#gathered.length === 1) setImmediate(() => this.#flush());
    });
  }

  /** The same for what nobody waits for: a late answer does not mean that they are away. */
  async runLate(name: ScriptName, call: ScriptCall): Promise<void> {
    this.#flush();
    try {
      await this.#send(name, [call]);
    } catch (error) {
      this.#lose(reasonOf(error));
      throw error;
    }
  }

  /** An answer says less than was known: some of the data are gone, though the mark is there. */
  noteLoss(): void {
    this.#lose(new DataLost().message);
  }

  /** Resolves when nothing is told, or asked of others, any more: a look for the Redis may be under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelProbe?.();
    this.#redis.disconnect();
    await Promise.all(this.#probing);
  }

  #flush(): void {
    const gathered = this.#gathered.splice(0);
    for (const name of GATHERED) {
      const alike = gathered.filter((asked) => asked.name === name);
      while (alike.length > 0) this.#ask(name, alike.splice(0, MOST_GATHERED));
    }
  }

  #ask(name: ScriptName, asked: readonly Asked[]): void {
    const sent = this.#send(
      name,
      asked.map(({ call }) => call),
    );
    this.#bounded(sent).then(
      (replies) => {
        for (const [index, { resolve }] of asked.entries()) resolve(replies[index]);
      },
      (error: unknown) => {
        this.#lose(reasonOf(error));
        for (const [index, { reject }] of asked.entries()) {
          reject(error instanceof Unanswered ? error.of(index) : error);
        }
      },
    );
  }

  /** Gives what the script gave for each call. */
  async #send(name: ScriptName, calls: readonly ScriptCall[]): Promise<unknown[]> {
    const digest = this.#digests.get(name);
    const rest = packCalls(calls, this.#mark ?? '');
    if (digest !== undefined) {
      try {
        return readReplies(await this.#redis.call('EVALSHA', [digest, ...rest]));
      } catch (error) {
        // A Redis that was started anew knows no scripts.
        if (!reasonOf(error).startsWith('NOSCRIPT')) throw error;
      }
    }
    return readReplies(await this.#redis.call('EVAL', [SCRIPTS[name], ...rest]));
  }

  /** Reads the mark of the data, or makes one where there are none. */
  async #readMark(): Promise<void> {
    const made = `${this.#instance}:${++this.#marksMade}`;
    await this.#bounded(this.#redis.set(STATE_KEY, made, 'PX', STATE_TTL_MS, 'NX'));
    const mark = String(await this.#bounded(this.#redis.get(STATE_KEY)));
    if (this.#mark !== undefined && this.#mark !== mark) {
      this.#lost = true;
      this.#listener.onLost();
    }
    this.#mark = mark;
  }

  async #loadScripts(): Promise<void> {
    for (const [name, text] of Object.entries(SCRIPTS)) {
      const digest = await this.#bounded(this.#redis.call('SCRIPT', ['LOAD', text]));
      this.#digests.set(name as ScriptName, String(digest));
    }
  }

  #within(work: Promise<unknown>, ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#schedule(() => reject(new Error(`it does not answer within ${ms} ms`)), ms);
      work.then(() => resolve(), reject).finally(cancel);
    });
  }

  /** Rejects after a while; an answer that has arrived but waits behind other work of this process still counts. */
  #bounded<Reply>(reply: Promise<Reply>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      let over = false;
      const giveUp = () => {
        if (over) return;
        over = true;
        reject(new Unanswered(`there was no answer within ${this.#replyMs} ms`, reply));
      };
      const cancel = this.#schedule(() => setImmediate(() => setImmediate(giveUp)), this.#replyMs);
      reply.then(
        (answer) => {
          over = true;
          cancel();
          resolve(answer);
        },
        (error: unknown) => {
          over = true;
          cancel();
          reject(error);
        },
      );
    });
  }

  #lose(reason: string): void {
    if (this.#closed || this.#state === 'away') return;
    const wasHere = this.#state === 'here';
    this.#state = 'away';
    if (wasHere) this.#listener.onAway(reason);
    this.#probeLater();
  }

  #probeLater(): void {
    if (this.#closed || this.#cancelProbe) return;
    this.#cancelProbe = this.#schedule(() => {
      this.#cancelProbe = undefined;
      void this.#look();
    }, PROBE_MS);
  }

  async #look(): Promise<void> {
    const probe = this.#probe();
    this.#probing.add(probe);
    await probe;
    this.#probing.delete(probe);
  }

  /** Never rejects: what fails is tried again. */
  async #probe(): Promise<void> {
    try {
      if (this.#redis.status !== 'ready') throw new Error('there is no connection');
      this.#state = 'joining';
      await this.#loadScripts();
      await this.#readMark();
      if (this.#closed) return;
      await this.#listener.onBack(this.#lost);
      if (this.#isJoining()) {
        this.#state = 'here';
        this.#lost = false;
      }
    } catch {
      // That it is away was told when it went.
      this.#state = 'away';
    }
    if (this.#closed) return;
    if (this.isHere) this.#listener.onHere();
    else this.#probeLater();
  }

  /** The state may have changed while others were waited for. */
  #isJoining(): boolean {
    return this.#state === 'joining';
  }
}

function isGathered(name: ScriptName): boolean {
  return GATHERED.some((gathered) => gathered === name);
}

function readReplies(reply: unknown): unknown[] {
  if (reply === LOST) throw new DataLost();
  if (!Array.isArray(reply)) throw new Error('a script gave no list');
  return reply;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
