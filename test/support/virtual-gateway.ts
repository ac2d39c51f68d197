import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { parseConfig } from '../../src/config/load.ts';
import { Call } from '../../src/gateway/call.ts';
import { compileSnapshot } from '../../src/gateway/compile-snapshot.ts';
import type { Door } from '../../src/gateway/door.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { handleCall } from '../../src/gateway/handle-call.ts';
import { Places } from '../../src/overload/places.ts';
import { CounterBook } from '../../src/quotas/counters.ts';
import { LocalQuotas } from '../../src/quotas/local-quotas.ts';
import type { Reservation, Used } from '../../src/quotas/reservation.ts';
import { RolloutBook } from '../../src/rollouts/rollout-book.ts';
import { HedgingBook } from '../../src/routing/hedging.ts';
import type { Lane } from '../../src/routing/lane.ts';
import { LaneBook } from '../../src/routing/lane-book.ts';
import { Connections, type SendOptions } from '../../src/upstream/connections.ts';
import { Deadlines, type Timed } from '../../src/upstream/deadlines.ts';
import type { ExchangeControl, ExchangeHandler } from '../../src/upstream/exchange.ts';
import { loadDeclarations } from '../../src/upstream/load-declarations.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { InFlight } from '../../src/usage/in-flight.ts';
import type { StartNote, Waiting } from '../../src/usage/journal.ts';
import { PriceBook } from '../../src/usage/prices.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { NO_SIGN_IN } from './sign-in.ts';

const declarations = await loadDeclarations();

/** Deadlines on a clock that stands still until it is moved. */
class VirtualDeadlines extends Deadlines {
  readonly #timed = new Set<Timed>();

  override add(timed: Timed, startMs: number, totalMs: number): void {
    timed.dueMs = startMs + totalMs;
    this.#timed.add(timed);
  }

  override remove(timed: Timed): void {
    this.#timed.delete(timed);
  }

  get size(): number {
    return this.#timed.size;
  }

  /** The one that is due first, by then. */
  next(untilMs: number): Timed | undefined {
    let first: Timed | undefined;
    for (const timed of this.#timed)
      if (timed.dueMs <= untilMs && (!first || timed.dueMs < first.dueMs)) first = timed;
    return first;
  }
}

/** A request to a provider, which the test answers. */
export class VirtualExchange implements ExchangeControl {
  readonly provider: string;
  readonly body: string;
  readonly sentMs: number;
  readonly #handler: ExchangeHandler;
  paused = false;
  isOver = false;
  /** Broken off by the gateway. */
  isAborted = false;

  constructor(provider: string, { body }: SendOptions, sentMs: number, handler: ExchangeHandler) {
    this.provider = provider;
    this.body = Buffer.isBuffer(body) ? body.toString() : '';
    this.sentMs = sentMs;
    this.#handler = handler;
  }

  start(): void {
    this.#handler.onRequestStart(this);
  }

  head(status: number, type: string, more: Record<string, string> = {}): void {
    const headers = { 'content-type': type, ...more };
    if (!this.isOver) this.#run(() => this.#handler.onResponseStart(this, status, headers));
  }

  data(text: string): void {
    if (!this.isOver) this.#run(() => this.#handler.onResponseData(this, Buffer.from(text)));
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#handler.onResponseEnd(this);
  }

  /** The connection ends, or there is none: `code` as Node or our own client says it. */
  lose(code = 'ECONNRESET'): void {
    this.#fail(Object.assign(new Error(code), { code }));
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  abort(reason: Error): void {
    if (this.isOver) return;
    this.isAborted = true;
    this.#fail(reason);
  }

  #run(step: () => void): void {
    try {
      step();
    } catch (thrown) {
      this.#fail(thrown as Error);
    }
  }

  #fail(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#handler.onResponseError(this, error);
  }
}

class VirtualConnections extends Connections {
  readonly #onExchange: (upstream: Upstream, options: SendOptions, handler: ExchangeHandler) => void;

  constructor(onExchange: (upstream: Upstream, options: SendOptions, handler: ExchangeHandler) => void) {
    super({ now: () => 0, monotonicMs: () => 0, deadlines: new Deadlines(() => 0) });
    this.#onExchange = onExchange;
  }

  override dispatch(upstream: Upstream, options: SendOptions, handler: ExchangeHandler): void {
    this.#onExchange(upstream, options, handler);
  }
}

class CountingQuotas extends LocalQuotas {
  readonly settled: { reservation: Reservation; used: Used }[] = [];

  override settle(reservation: Reservation, used: Used): void {
    if (!reservation.settled) this.settled.push({ reservation, used });
    super.settle(reservation, used);
  }
}

/** What happens outside of the gateway. */
export interface VirtualEvent {
  atMs: number;
  run: () => void;
  /** It is there with what comes before it at the same moment: nothing else runs in between. */
  atOnce: boolean;
}

/** The client's side of a call: what it has got, and its leaving. */
export interface VirtualClient {
  /** All bytes, heads included. */
  text(): string;
  isEnded(): boolean;
  /** It closes the connection. */
  leave(): void;
}

/** The way of calls as it runs, from their admission to their records, with a clock, providers and clients of the test's. */
export class VirtualGateway {
  nowMs = 1_000;
  /** Still to come. */
  readonly events: VirtualEvent[] = [];
  readonly exchanges: VirtualExchange[] = [];
  readonly records: UsageRecord[] = [];
  readonly deadlines = new VirtualDeadlines(() => this.nowMs);
  readonly hedgings = new HedgingBook();
  readonly quotas: CountingQuotas;
  readonly places: Places;
  readonly gateway: Gateway;
  /** Told of each request to a provider as it is sent. */
  onExchange: ((exchange: VirtualExchange) => void) | undefined;

  /** `random`: from 0 to 1, without 1. */
  constructor(settings: object, random = () => 0.5) {
    const config = parseConfig(JSON.stringify(settings), 'test.yaml', {
      env: {},
      knownProviders: declarations,
    });
    const monotonicMs = () => this.nowMs;
    const counters = new CounterBook();
    this.quotas = new CountingQuotas(counters, monotonicMs);
    const snapshot = compileSnapshot({
      ...{
        config,
        declarations,
        madeKeys: [],
        signIn: NO_SIGN_IN,
        counters,
        hedgings: this.hedgings,
        rollouts: new RolloutBook(),
      },
      lanes: new LaneBook({ monotonicMs }),
    });
    this.places = new Places({
      ...{ bounds: snapshot.bounds, deadlines: this.deadlines, monotonicMs, random: () => 0 },
      tell: () => undefined,
    });
    const none = () => assert.fail('nothing of that is asked for here');
    this.gateway = {
      snapshot,
      credentials: { rejected: () => undefined, accepted: () => undefined, proven: () => undefined },
      connections: new VirtualConnections((upstream, options, handler) => {
        const exchange = new VirtualExchange(upstream.name, options, this.nowMs, handler);
        this.exchanges.push(exchange);
        exchange.start();
        this.onExchange?.(exchange);
      }),
      ledger: {
        append: (record: UsageRecord) => {
          this.records.push(structuredClone(record));
        },
        noteStart: (): StartNote => ({ line: '', head: '', segment: undefined, slot: 0 }),
        wait: (waiting: Waiting) => queueMicrotask(() => waiting.proceed()),
      },
      log: { info: () => {}, warn: () => {}, error: (fields) => assert.fail(JSON.stringify(fields)) },
      calls: new InFlight<Call>(),
      objects: { find: none, list: none, ofAll: none, bind: none, forget: none },
      batches: { note: none },
      uploads: { spool: { open: none }, maxBytes: 0 },
      tokens: { countConversation: none, countTexts: none, boundConversation: none },
      places: this.places,
      quotas: this.quotas,
      prices: new PriceBook({ prices: config.prices }),
      captures: { keep: none },
      shadows: { take: () => undefined },
      prompts: {
        admit: () => assert.fail('there are no prompts here'),
        ask: () => assert.fail('there are no prompts here'),
      },
      lateCounts: { plan: () => undefined },
      gone: { isAny: false, note: none, answered: none },
      structures: { fit: none },
      responses: { keep: none, find: none, remove: none },
      now: monotonicMs,
      monotonicMs,
      deadlines: this.deadlines,
      random,
    };
  }

  /** A client sends a request with this key. */
  call(door: Door, key: string, body: object): VirtualClient {
    const { gateway, nowMs } = this;
    const caller = gateway.snapshot.findCaller(key);
    assert.ok(caller, 'the key is not configured');
    let text = '';
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        text += chunk.toString();
        done();
      },
    });
    const request = new IncomingMessage(new Socket());
    Object.assign(request, { method: 'POST', httpVersionMajor: 1, httpVersionMinor: 1 });
    const response = new ServerResponse(request);
    // As far as an answer is concerned any duplex is one.
    response.assignSocket(Object.assign(wire, { setTimeout: () => wire }) as unknown as Socket);
    // A server does so when an answer is out.
    response.on('finish', () => queueMicrotask(() => response.emit('close')));
    const call = new Call({
      ...{ id: 'req_1', startedAt: nowMs, startedMs: nowMs, door, snapshot: gateway.snapshot, caller },
      ...{ body: Buffer.from(JSON.stringify(body)), response },
    });
    handleCall(gateway, call);
    return {
      text: () => text,
      isEnded: () => response.writableFinished,
      leave: () => wire.destroy(),
    };
  }

  /** The targets of a model where something is waited for: it takes longer by the hour. */
  awaited(model: string): string[] {
    const { targets = [] } = this.gateway.snapshot.routes.resolve(model) ?? {};
    const isAwaited = (lane: Lane, stream: boolean) =>
      lane.latency(stream, this.nowMs) !== lane.latency(stream, this.nowMs + 3_600_000);
    return targets
      .filter(({ lanes = [] }) => lanes.some((lane) => isAwaited(lane, true) || isAwaited(lane, false)))
      .map(({ name }) => name);
  }

  /** Lets everything happen in its order, until nothing is left to. `oursFirst`: of what falls on one moment, what the gateway does. */
  async playOut(oursFirst: readonly boolean[]): Promise<void> {
    await setImmediate();
    for (let turn = 0; ; turn += 1) {
      const next = this.events.reduce<VirtualEvent | undefined>(
        (first, event) => (first && first.atMs <= event.atMs ? first : event),
        undefined,
      );
      const untilMs = next?.atMs ?? Number.POSITIVE_INFINITY;
      // Pauses and time-outs may lead to further attempts, and so to further events.
      if (this.#expireNext(oursFirst[turn % oursFirst.length] === true ? untilMs : untilMs - 1)) {
        await setImmediate();
        continue;
      }
      if (!next) return;
      this.events.splice(this.events.indexOf(next), 1);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
      if (!next.atOnce || !this.events.some(({ atMs, atOnce }) => atOnce && atMs <= next.atMs))
        await setImmediate();
    }
  }

  /** Moves the clock to what falls due first, and lets that go; `false` where nothing does by then. */
  #expireNext(untilMs: number): boolean {
    const due = this.deadlines.next(untilMs);
    if (!due) return false;
    this.nowMs = Math.max(this.nowMs, due.dueMs);
    this.deadlines.remove(due);
    due.expire();
    return true;
  }
}
