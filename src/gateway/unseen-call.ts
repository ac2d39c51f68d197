import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { AnswerTap } from '../captures/capture.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { Target } from '../routing/target.ts';
import type { UsageRecord } from '../usage/record.ts';
import { admitCall } from './admit.ts';
import { attemptInTurn } from './attempt-in-turn.ts';
import { Call, type CallAddress, type CallSide } from './call.ts';
import type { Door } from './door.ts';
import type { Gateway } from './gateway.ts';
import { planTargets } from './plan.ts';
import { failCall } from './respond.ts';
import { settleCall } from './settle.ts';
import type { Caller, Snapshot } from './snapshot.ts';

/** A call that the gateway makes of its own accord, as a client would have sent it. */
export interface UnseenRequest {
  id: string;
  door: Door;
  snapshot: Snapshot;
  caller: Caller;
  body: Buffer;
  address?: CallAddress | undefined;
  forward?: Readonly<Record<string, string>> | undefined;
  /** What its record names as its model; what the request names where absent. */
  model?: string | undefined;
  /** Tried in this order. */
  targets: readonly Target[];
  retries: number;
  rollout?: CallSide | undefined;
  /** Why nobody is asked. */
  refusal?: GatewayError | undefined;
}

/** The same, as a call: it holds no place, meets no limit, and its answer goes to its tap alone. */
export class UnseenCall {
  readonly call: Call;
  /** Its record, when it is over; never rejected. */
  readonly over: Promise<UsageRecord>;
  readonly #gateway: Gateway;
  readonly #request: UnseenRequest;

  constructor(gateway: Gateway, request: UnseenRequest) {
    const { promise, resolve } = Promise.withResolvers<UsageRecord>();
    this.over = promise;
    this.#gateway = gateway;
    this.#request = request;
    const response = new UnseenResponse(() => this.#end());
    const { now, monotonicMs } = gateway;
    this.call = new Call({ ...request, response, startedAt: now(), startedMs: monotonicMs() });
    this.call.tap = new AnswerTap();
    this.call.rollout = request.rollout;
    this.call.onSettled = resolve;
  }

  send(): void {
    const gateway = this.#gateway;
    const { call } = this;
    const { targets, retries, model, refusal } = this.#request;
    try {
      if (refusal) throw refusal;
      admitCall(call);
      call.model = model ?? call.model;
      call.retries = retries;
      attemptInTurn(gateway, call, planTargets(gateway, call, targets));
    } catch (thrown) {
      failCall(gateway, call, thrown);
    }
  }

  /** Breaks it off; what was used by then is recorded. */
  cancel(): void {
    const { call } = this;
    if (call.cancelled || call.settled) return;
    call.cancelled = true;
    call.running?.abandon(new GatewayError('cancelled', 'The gateway does not wait for the answer.'));
    settleCall(this.#gateway, call, 'cancelled', 499);
  }

  /** Whatever ended it without a word is told, too. */
  #end(): void {
    if (!this.call.settled) this.cancel();
  }
}

/** Where the answer goes that nobody is to see: nowhere, at once. */
class UnseenResponse extends ServerResponse {
  readonly #onOver: () => void;
  #isOver = false;

  constructor(onOver: () => void) {
    super(new IncomingMessage(new Socket()));
    this.#onOver = onOver;
  }

  override write(): boolean {
    return true;
  }

  override flushHeaders(): void {}

  override end(): this {
    this.#finish();
    return this;
  }

  override destroy(error?: Error): this {
    super.destroy(error);
    this.#finish();
    return this;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver();
  }
}
