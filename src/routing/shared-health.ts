import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import {
  type Claim,
  isTellable,
  LONGEST_TOLD_MS,
  readKept,
  readMessage,
  type Word,
  writeClaim,
} from './health-word.ts';
import type { Lane } from './lane.ts';
import type { CreditChange, LaneChange } from './lane-book.ts';

/** What there is in the Redis, and the name of the channel, which knows no databases. */
const KEY = 'fairlead:health';

/** An open place may be probed when its time is up, and is not known to be well until then: who starts later is told of it still. */
const KEPT_OPEN_MS = 30_000;

/** How many words are kept in the Redis, and how many of its own an instance would tell again. */
const MOST_WORDS = 10_000;
/** At once. */
const MOST_TOLD = 100;

const CONNECT_MS = 2_000;
/** The start of the gateway waits no longer to hear what others know. */
const OPEN_MS = 1_000;
/** A connection that has said nothing for this long while it was asked is taken for dead. */
const SILENT_MS = 5_000;
/** How often the one that only listens is asked, and what failed though there is a connection is tried again. */
const PING_MS = 5_000;
const LONGEST_RECONNECT_MS = 500;

/*
 * A sorted set holds what is to be known: what is said of which place → when that ends, by the clock of the Redis. Both scripts take
 * one key, and are sent only when a place changed or an instance came.
 */
const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** Per word: what ends by it, what is kept instead (or nothing), for how long, what is told. */
const TELL = `${NOW}
local function whole(number) return string.format('%.0f', number) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now))
for at = 3, #ARGV, 4 do
  if ARGV[at] ~= '' then redis.call('ZREM', KEYS[1], ARGV[at]) end
  if ARGV[at + 1] ~= '' then
    redis.call('ZADD', KEYS[1], 'GT', whole(now + ARGV[at + 2]), ARGV[at + 1])
  end
  redis.call('PUBLISH', ARGV[1], ARGV[at + 3])
end
local excess = redis.call('ZCARD', KEYS[1]) - ARGV[2]
if excess > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, excess - 1) end
redis.call('PEXPIRE', KEYS[1], ${LONGEST_TOLD_MS + KEPT_OPEN_MS})
`;

/** Gives each word and how many milliseconds are left of it. */
const READ = `${NOW}
local kept = redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for at = 2, #kept, 2 do kept[at] = kept[at] - now end
return kept
`;

/** What this instance saw itself, until when it holds. */
interface Said {
  claim: Claim;
  /** Monotonic milliseconds; of an open place, when it may be probed. */
  untilMs: number;
  isTold: boolean;
}

export interface SharedHealthOptions {
  url: string;
  monotonicMs: () => number;
  schedule: (task: () => void, delayMs: number) => () => void;
  /** Others say something. What it leads to must not be told again. */
  hear: (word: Word, nowMs: number) => void;
  /** Once until it works again. */
  onProblem: (error: Error) => void;
}

/**
 * What instances tell each other of how places do, over a Redis: breakers that open and close, lanes whose provider named a time, and
 * accounts that are out of credit.
 * Nobody waits for it. Where the Redis is away each learns for itself; when it is back it tells what it saw meanwhile and still holds,
 * and hears what others said.
 */
export class SharedHealth {
  readonly #options: SharedHealthOptions;
  readonly #instance = randomUUID();
  readonly #redis: Redis;
  readonly #listener: Redis;
  readonly #channel: string;
  /** By place, for what is said of breakers, of limits and of credit. */
  readonly #said = new Map<string, Said>();
  #isTelling = false;
  #isJoining = false;
  /** It listens, and has heard what was said before. */
  #isJoined = false;
  #isTroubled = false;
  #isClosed = false;
  #cancelPing: (() => void) | undefined;
  #joined: () => void = () => {};

  constructor(options: SharedHealthOptions) {
    this.#options = options;
    const connection = {
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      // What was missed in between is read after each connection, and so it is made known.
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_MS,
      socketTimeout: SILENT_MS,
      retryStrategy: (times: number) => Math.min(times * 50, LONGEST_RECONNECT_MS),
      connectionName: 'fairlead-health',
    };
    this.#redis = new Redis(options.url, connection);
    this.#listener = new Redis(options.url, connection);
    this.#channel = `${KEY}:${this.#redis.options.db ?? 0}`;
    for (const one of [this.#redis, this.#listener]) {
      // Without a listener it would be written to the console.
      one.on('error', (error) => this.#trouble(error));
      one.on('close', () => {
        this.#isJoined = false;
      });
      one.on('ready', () => void this.#join());
    }
    this.#listener.on('message', (_channel, text) => this.#receive(text));
  }

  /** Resolves when what others know was heard, when there is no Redis, or after a while. */
  open(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.schedule(resolve, OPEN_MS);
      this.#joined = () => {
        cancel();
        resolve();
      };
      for (const one of [this.#redis, this.#listener]) {
        one.connect().catch((error) => {
          this.#trouble(error);
          this.#joined();
        });
      }
      this.#pingLater();
    });
  }

  /** A breaker of this instance. That one is being probed is nobody else's business. */
  tellBreaker({ target, provider, account, state, opensUntil }: LaneChange): void {
    if (state === 'half-open') return;
    const place =
      target === undefined
        ? { scope: 'account' as const, name: provider, account }
        : { scope: 'lane' as const, name: target, account };
    this.#say({ ...place, what: state }, state === 'open' ? opensUntil : this.#options.monotonicMs());
  }

  /** The provider named a time to this instance. What servers say of themselves is no word of the place: others may find other servers. */
  tellCooling({ target, account, coolsUntil, limit: { namedFor } }: Lane): void {
    if (coolsUntil <= this.#options.monotonicMs()) return;
    this.#say({ scope: 'lane', what: 'cooling', name: target, account, namedFor }, coolsUntil);
  }

  /** An account was found to be out of credit, or to have some again. */
  tellCredit({ provider: name, account, mark, isSpent, restsUntil }: CreditChange): void {
    // Others would not know of which credential it is.
    if (mark === undefined) return;
    const claim = { scope: 'credit' as const, name, account, mark };
    if (isSpent) this.#say({ ...claim, what: 'spent' }, restsUntil);
    else this.#say({ ...claim, what: 'paid' }, this.#options.monotonicMs());
  }

  close(): void {
    this.#isClosed = true;
    this.#said.clear();
    this.#cancelPing?.();
    this.#redis.disconnect();
    this.#listener.disconnect();
    this.#joined();
  }

  #say(claim: Claim, untilMs: number): void {
    if (this.#isClosed || !isTellable(claim)) return;
    const key = subjectOf(claim);
    this.#said.delete(key);
    if (this.#said.size >= MOST_WORDS) this.#forgetOldest();
    this.#said.set(key, { claim, untilMs, isTold: false });
    void this.#tell();
  }

  #forgetOldest(): void {
    const [oldest] = this.#said.keys();
    if (oldest !== undefined) this.#said.delete(oldest);
  }

  /** Sends what was not sent yet, as much at once as came together. Never rejects: what fails is sent after the next connection. */
  async #tell(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      // Those of one turn go together.
      await Promise.resolve();
      for (let words = this.#untold(); words.length > 0 && this.#isReady; words = this.#untold()) {
        await this.#send(words);
        this.#isTroubled = false;
      }
    } catch (error) {
      this.#trouble(error);
    } finally {
      this.#isTelling = false;
    }
  }

  #untold(): Said[] {
    const nowMs = this.#options.monotonicMs();
    const words: Said[] = [];
    for (const [key, said] of this.#said) {
      if (isOver(said, nowMs)) this.#said.delete(key);
      else if (!said.isTold && words.length < MOST_TOLD) words.push(said);
    }
    return words;
  }

  async #send(words: readonly Said[]): Promise<void> {
    const nowMs = this.#options.monotonicMs();
    const args: (string | number)[] = [this.#channel, MOST_WORDS];
    for (const { claim, untilMs } of words) {
      const forMs = Math.min(Math.max(Math.ceil(untilMs - nowMs), 0), LONGEST_TOLD_MS);
      const message = JSON.stringify({ by: this.#instance, ...claim, forMs });
      const ended = endedBy(claim);
      if (ended) args.push(writeClaim(ended), '', 0, message);
      else args.push('', writeClaim(claim), forMs + keptMs(claim), message);
    }
    await this.#redis.call('EVAL', [TELL, 1, KEY, ...args]);
    for (const said of words) {
      said.isTold = true;
      // One that is closed is as any other from now on.
      const key = subjectOf(said.claim);
      if (endedBy(said.claim) && this.#said.get(key) === said) this.#said.delete(key);
    }
  }

  /** After each connection of either: listens, tells what it saw, reads what others did. Never rejects. */
  async #join(): Promise<void> {
    if (this.#isJoining) return;
    this.#isJoining = true;
    try {
      // A connection may be lost, and be there again, at any step.
      while (this.#isReady && !this.#isJoined) {
        this.#isJoined = true;
        await this.#listener.subscribe(this.#channel);
        // A Redis that was started anew may have lost it.
        for (const said of this.#said.values()) said.isTold = false;
        await this.#tell();
        const kept = await this.#redis.call('EVAL', [READ, 1, KEY, MOST_WORDS]);
        if (Array.isArray(kept)) this.#hearKept(kept);
        this.#isTroubled = false;
        this.#joined();
      }
    } catch (error) {
      this.#isJoined = false;
      this.#trouble(error);
    } finally {
      this.#isJoining = false;
    }
  }

  get #isReady(): boolean {
    return !this.#isClosed && this.#redis.status === 'ready' && this.#listener.status === 'ready';
  }

  #hearKept(kept: readonly unknown[]): void {
    for (let at = 0; at + 1 < kept.length; at += 2) {
      const { [at]: text, [at + 1]: leftMs } = kept;
      const word = readKept(String(text), Number(leftMs));
      if (!word) this.#trouble(new Error('a word on a place in the Redis is none'));
      // What it saw of its own breaker and could not tell yet is newer.
      else if (keptMs(word) > 0 && this.#said.has(subjectOf(word))) continue;
      else this.#hear({ ...word, forMs: Math.max(word.forMs - keptMs(word), 0) });
    }
  }

  #receive(text: string): void {
    const message = readMessage(text);
    if (!message) this.#trouble(new Error('a message on a place in the Redis is none'));
    else if (message.by !== this.#instance) this.#hear(message);
  }

  #hear(word: Word): void {
    // That it fails is not to be told again after the next connection.
    if (endedBy(word)) this.#said.delete(subjectOf(word));
    this.#options.hear(word, this.#options.monotonicMs());
  }

  #pingLater(): void {
    if (this.#isClosed) return;
    this.#cancelPing = this.#options.schedule(() => {
      // Who only listens would never notice that nobody speaks any more.
      if (this.#isReady) this.#listener.ping().catch((error) => this.#trouble(error));
      void this.#join();
      void this.#tell();
      this.#pingLater();
    }, PING_MS);
  }

  #trouble(error: unknown): void {
    if (this.#isTroubled || this.#isClosed) return;
    this.#isTroubled = true;
    this.#options.onProblem(error instanceof Error ? error : new Error(String(error)));
  }
}

/** What it is about: a newer word takes the place of an older one. */
function subjectOf({ scope, what, name, account }: Claim): string {
  return `${what === 'cooling' ? 'limit' : 'state'}\n${scope}\n${name}\n${account}`;
}

/** What holds no more by it. */
function endedBy(claim: Claim): Claim | undefined {
  if (claim.what === 'closed') return { ...claim, what: 'open' };
  return claim.what === 'paid' ? { ...claim, what: 'spent' } : undefined;
}

/** How long it is to be known behind its time, when a place may be tried that is not known to be well. */
function keptMs({ what }: Claim): number {
  return what === 'cooling' ? 0 : KEPT_OPEN_MS;
}

/** That a place is well says nothing any more when nobody can know from the Redis that it was not. */
function isOver({ claim, untilMs }: Said, nowMs: number): boolean {
  return untilMs + keptMs(claim) <= nowMs;
}
