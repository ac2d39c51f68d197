import type { Gateway } from './gateway.ts';
import { UnseenCall, type UnseenRequest } from './unseen-call.ts';

export interface OwnCallOptions {
  gateway: () => Gateway;
  makeId: () => string;
}

/** The calls that the gateway makes of its own accord, as long as it runs: a stop does not wait for them. */
export class OwnCalls {
  readonly #options: OwnCallOptions;
  readonly #running = new Set<UnseenCall>();
  /** Nothing more is to be sent. */
  isStopped = false;

  constructor(options: OwnCallOptions) {
    this.#options = options;
  }

  /** One that is still to be sent. */
  make(request: Omit<UnseenRequest, 'id'>): UnseenCall {
    const { gateway, makeId } = this.#options;
    return new UnseenCall(gateway(), { ...request, id: makeId() });
  }

  send(call: UnseenCall): UnseenCall {
    this.#running.add(call);
    void call.over.then(() => this.#running.delete(call));
    call.send();
    return call;
  }

  /** Breaks off what is under way. */
  stop(): void {
    this.isStopped = true;
    for (const call of [...this.#running]) call.cancel();
  }
}
