import { Breaker, type BreakerOptions, type BreakerState, isSameBreaker } from './breaker.ts';
import { Credit, type SeenCredit } from './credit.ts';
import { type CreditWord, namedForOf, type Word } from './health-word.ts';
import { Hearsay } from './hearsay.ts';
import { Lane, type RestingServers } from './lane.ts';
import { type Cooling, cappedMs } from './limit.ts';

/** How a lane stands. */
export interface BreakerReading {
  target: string;
  account: string;
  state: BreakerState;
  cooling: Cooling | undefined;
}

export interface LaneChange {
  /** `undefined`: of the account. */
  target: string | undefined;
  account: string;
  provider: string;
  state: BreakerState;
  before: BreakerState;
  /** No model leads to the target: a caller has named it. */
  isNamed: boolean;
  /** When an open one is to be probed. */
  opensUntil: number;
}

/** An account is out of credit, or has some again. */
export interface CreditChange extends SeenCredit {
  provider: string;
  account: string;
  /** Of the credential that it has; `undefined` where none is known to be in force. */
  mark: string | undefined;
  /** When the next call is to find out. */
  restsUntil: number;
}

/** A provider has shut an account, or answers it again. */
export interface ShutChange {
  provider: string;
  account: string;
  isShut: boolean;
}

/** Whose lane it is. */
export interface LaneOwner {
  provider: string;
  /** No model leads to the target: a caller has named it. */
  isNamed: boolean;
}

/** What is told is what this instance saw itself; of what it hears from others nobody is told. */
export interface LaneBookOptions {
  monotonicMs: () => number;
  onChange?: (change: LaneChange) => void;
  /** The provider named a time, or a later one, before which the lane is not to be called. */
  onCool?: (lane: Lane, owner: LaneOwner) => void;
  /** Others go before the lane for a while: it is limited, and its provider named no time. */
  onRest?: (lane: Lane, owner: LaneOwner) => void;
  /** Also each time that an account is found to be out of credit still. */
  onCredit?: (change: CreditChange) => void;
  onShut?: (change: ShutChange) => void;
}

/** Whose lanes they are. */
interface Place {
  provider: string;
  account: string;
  options: BreakerOptions;
  /** A model leads to the target; else a caller has named it. */
  isConfigured?: boolean;
}

/** What a configuration is in force with, as far as lanes follow it. */
export interface LanesInForce {
  /** `mark`: tells one credential of an account from another. */
  upstreams: Iterable<{
    name: string;
    accounts: readonly { name: string; mark: string }[];
    servers?: { discovery?: unknown; pools: ReadonlyMap<string, RestingServers> } | undefined;
  }>;
  /** Those that its models lead to. */
  lanes: Iterable<Lane>;
}

/**
 * How many lanes that no config names are remembered, where none of them is limited: the targets' names come from callers. Then the
 * half goes that was not asked for for the longest time.
 */
export const MOST_LANES = 10_000;

/** All lanes of this process. They outlive snapshots: what is known of a provider does not depend on the rest of a configuration. */
export class LaneBook {
  readonly #lanes = new Map<string, Lane>();
  /** Those that models lead to; also of configurations that are only tried. */
  #configured = new Set<string>();
  /** So many of the others are too many. */
  #full = MOST_LANES;
  readonly #reaches = new Map<string, { options: BreakerOptions; breaker: Breaker }>();
  /** Of accounts. They do not depend on options. */
  readonly #credits = new Map<string, Credit>();
  readonly #shuts = new Map<string, Credit>();
  /** Of accounts, where they are looked up. */
  #servers = new Map<string, RestingServers>();
  readonly #options: LaneBookOptions;
  readonly #hearsay = new Hearsay();

  constructor(options: LaneBookOptions) {
    this.#options = options;
  }

  /** The lane of a target at an account of its provider. One whose options changed begins anew, but for what the provider named. */
  find(target: string, place: Place): Lane {
    const { account, isConfigured = false } = place;
    const key = `${target}\n${account}`;
    if (isConfigured) this.#configured.add(key);
    const reach = this.#reach(place);
    const known = this.#lanes.get(key);
    if (known && known.reach === reach) {
      // What is asked for again is not the oldest.
      this.#lanes.delete(key);
      this.#lanes.set(key, known);
      return known;
    }
    if (!known) this.#makeRoom();
    const breaker = this.#makeBreaker(target, place);
    const owner = () => ({ provider: place.provider, isNamed: !this.#configured.has(key) });
    const lane = new Lane(target, account, breaker, reach, {
      limit: known?.limit,
      credit: this.#credit(place),
      shut: this.#shut(place),
      countLimit: known?.countLimit,
      createCounting: (limit) => new Lane(target, account, new Breaker(place.options), reach, { limit }),
      onCool: (cooled) => this.#options.onCool?.(cooled, owner()),
      onRest: (resting) => this.#options.onRest?.(resting, owner()),
    });
    lane.servers = this.#servers.get(`${place.provider}\n${account}`);
    const heard = this.#hearsay.take('lane', target, account);
    if (heard?.opensUntil !== undefined) breaker.hearOpened(heard.heardMs, heard.opensUntil);
    if (heard?.coolsUntil !== undefined) lane.cool(heard.coolsUntil, heard.namedFor);
    this.#lanes.set(key, lane);
    return lane;
  }

  /**
   * A configuration is in force. What is known of accounts that it does not have is forgotten, but for how long they are to be left alone:
   * they may come back before that is over. Of an account with another credential it is not known whether it has credit.
   */
  follow({ upstreams, lanes }: LanesInForce): void {
    const nowMs = this.#options.monotonicMs();
    const accounts = new Set<string>();
    this.#servers = new Map();
    for (const { name: provider, accounts: own, servers } of upstreams) {
      for (const { name: account, mark } of own) {
        accounts.add(`${provider}\n${account}`);
        const found = servers?.discovery ? servers.pools.get(account) : undefined;
        if (found) this.#servers.set(`${provider}\n${account}`, found);
        this.#credit({ provider, account }).follow(mark, nowMs);
        this.#shut({ provider, account }).follow(mark, nowMs);
      }
    }
    this.#configured = new Set(Array.from(lanes, ({ target, account }) => `${target}\n${account}`));
    for (const [key, lane] of this.#lanes) {
      const { target, account, limitedUntil } = lane;
      // A slash is before a model, a colon before what is asked for beside models.
      const [provider] = target.split(/[/:]/, 1);
      lane.servers = this.#servers.get(`${provider}\n${account}`);
      if (!accounts.has(`${provider}\n${account}`) && nowMs >= limitedUntil) this.#lanes.delete(key);
    }
    for (const key of this.#reaches.keys()) if (!accounts.has(key)) this.#reaches.delete(key);
    for (const known of [this.#credits, this.#shuts]) {
      for (const [key, credit] of known) if (!accounts.has(key) && !credit.rests(nowMs)) known.delete(key);
    }
  }

  /** How lanes stand; the worse of their own breaker and their account's. */
  readings(isWanted: (target: string, account: string) => boolean): BreakerReading[] {
    const wanted = [...this.#lanes.values()].filter(({ target, account }) => isWanted(target, account));
    const nowMs = this.#options.monotonicMs();
    return wanted.map((lane) => ({
      target: lane.target,
      account: lane.account,
      state: worseOf(lane.breaker.state, lane.reach.state),
      cooling: lane.cooling(nowMs),
    }));
  }

  /** How many places others spoke of that nobody has called here yet. */
  get heard(): number {
    return this.#hearsay.size;
  }

  /** What another instance says of a place, whether this one knows it yet or not. */
  hear(word: Word, nowMs: number): void {
    if (word.scope === 'credit') {
      this.#hearCredit(word, nowMs);
      return;
    }
    const key = `${word.name}\n${word.account}`;
    const lane = word.scope === 'lane' ? this.#lanes.get(key) : undefined;
    const breaker = word.scope === 'lane' ? lane?.breaker : this.#reaches.get(key)?.breaker;
    if (!breaker) this.#hearsay.keep(word, nowMs);
    else if (word.what === 'open') breaker.hearOpened(nowMs, nowMs + word.forMs);
    else if (word.what === 'closed') breaker.hearClosed();
    else if (word.what === 'cooling') lane?.hearCooling(nowMs, word.forMs, namedForOf(word));
  }

  /** What others say of another credential than the account has here says nothing; nor does what they say of an account of theirs. */
  #hearCredit({ name, account, mark, what, forMs }: CreditWord, nowMs: number): void {
    const credit = this.#credits.get(`${name}\n${account}`);
    if (!credit || credit.mark !== mark) return;
    if (what === 'spent') credit.hearSpent(nowMs, cappedMs(forMs));
    else credit.hearPaid(nowMs);
  }

  /** As many more stay as are limited: each of them was asked, and said so. */
  #makeRoom(): void {
    if (this.#lanes.size - this.#configured.size < this.#full) return;
    const nowMs = this.#options.monotonicMs();
    let excess = this.#full / 2;
    for (const [key, { limitedUntil }] of this.#lanes) {
      if (excess <= 0) break;
      if (nowMs < limitedUntil || this.#configured.has(key)) continue;
      this.#lanes.delete(key);
      excess -= 1;
    }
    // Where most are limited, they are not gone through again for each that comes.
    this.#full = Math.max(MOST_LANES, 2 * (this.#lanes.size - this.#configured.size));
  }

  #reach(place: Place): Breaker {
    const { provider, account, options } = place;
    const key = `${provider}\n${account}`;
    const known = this.#reaches.get(key);
    if (known && isSameBreaker(known.options, options)) return known.breaker;
    const breaker = this.#makeBreaker(undefined, place);
    const heard = this.#hearsay.take('account', provider, account);
    if (heard?.opensUntil !== undefined) breaker.hearOpened(heard.heardMs, heard.opensUntil);
    this.#reaches.set(key, { options, breaker });
    return breaker;
  }

  #credit({ provider, account }: Pick<Place, 'provider' | 'account'>): Credit {
    const key = `${provider}\n${account}`;
    const known = this.#credits.get(key);
    if (known) return known;
    const credit: Credit = new Credit((seen) => {
      const { mark, restsUntil } = credit;
      this.#options.onCredit?.({ ...seen, provider, account, mark, restsUntil });
    });
    this.#credits.set(key, credit);
    return credit;
  }

  #shut({ provider, account }: Pick<Place, 'provider' | 'account'>): Credit {
    const key = `${provider}\n${account}`;
    const known = this.#shuts.get(key);
    if (known) return known;
    const shut = new Credit(({ isSpent: isShut, isNews }) => {
      if (isNews) this.#options.onShut?.({ provider, account, isShut });
    }, 'shut');
    this.#shuts.set(key, shut);
    return shut;
  }

  #makeBreaker(target: string | undefined, { provider, account, options }: Place): Breaker {
    const { onChange } = this.#options;
    const breaker: Breaker = new Breaker(
      options,
      onChange &&
        ((state, before) => {
          const isNamed = target !== undefined && !this.#configured.has(`${target}\n${account}`);
          onChange({ target, account, provider, state, before, isNamed, opensUntil: breaker.opensUntil });
        }),
    );
    return breaker;
  }
}

/** Where one of the two is open nothing is sent, whatever the other is. */
function worseOf(one: BreakerState, other: BreakerState): BreakerState {
  if (one === 'open' || other === 'open') return 'open';
  return one === 'half-open' ? one : other;
}
