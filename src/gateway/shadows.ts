import { OPERATOR } from '../usage/operator.ts';
import type { Call, CallSide } from './call.ts';
import type { ModelRollout } from './choose-side.ts';
import { copiedBody } from './copied-body.ts';
import type { Gateway } from './gateway.ts';
import { UnseenCall } from './unseen-call.ts';

/** What the requests may come to of which copies are under way. */
const MAX_BYTES = 16 * 1024 * 1024;

/** The key that copies are recorded under. */
export const SHADOW_KEY = 'shadow';

export interface ShadowOptions {
  gateway: () => Gateway;
  makeId: () => string;
}

/**
 * Sends the candidate of a rollout copies of calls that the stable answered, when those are over: no client waits for one, and none
 * sees it. Whether a call is copied does not depend on how it went, so that both sides are compared over the same calls. Copies cost the operator,
 * and beyond their bounds none are made.
 */
export class Shadows {
  readonly #options: ShadowOptions;
  readonly #running = new Map<UnseenCall, string>();
  #bytes = 0;
  #isStopped = false;

  constructor(options: ShadowOptions) {
    this.#options = options;
  }

  /** A call of a rollout is over. */
  take(call: Call): void {
    const { rollout: side } = call;
    if (this.#isStopped || !side?.moved || side.side !== 'stable' || call.cancelled) return;
    // One that nobody was asked to answer says nothing of the stable either.
    if (call.attempts.length === 0 || !side.moved.rollout.isShadowed) return;
    const { name, shadow } = side.moved.rollout.spec;
    const gateway = this.#options.gateway();
    if (!shadow || gateway.random() >= shadow.share) return;
    if (this.#runningOf(name) >= shadow.maxConcurrentCalls) return;
    if (this.#bytes + call.body.length > MAX_BYTES) return;
    const body = copiedBody(call);
    if (body) this.#send(gateway, call, side.moved, body);
  }

  /** Breaks off what is under way, and copies nothing more. */
  stop(): void {
    this.#isStopped = true;
    for (const copy of [...this.#running.keys()]) copy.cancel();
  }

  #send(gateway: Gateway, call: Call, { rollout, route }: ModelRollout, body: Buffer): void {
    const { door, snapshot, caller, address, forward, retries } = call;
    const [candidate] = route.targets;
    if (!candidate) return;
    const { name } = rollout.spec;
    const side: CallSide = {
      ...{ name, side: 'candidate', candidate: candidate.name },
      // It may have ended when the copy does.
      get isWatched() {
        return rollout.isWatched;
      },
    };
    const copy = new UnseenCall(gateway, {
      ...{ id: this.#options.makeId(), door, snapshot, body, address, forward, retries },
      ...{ model: candidate.name, targets: [candidate], rollout: side },
      caller: { ...caller, tenant: OPERATOR, key: SHADOW_KEY, capture: undefined, limits: undefined },
    });
    this.#running.set(copy, name);
    this.#bytes += body.length;
    void copy.over.then(() => {
      this.#running.delete(copy);
      this.#bytes -= body.length;
    });
  }

  #runningOf(rollout: string): number {
    let running = 0;
    for (const name of this.#running.values()) if (name === rollout) running += 1;
    return running;
  }
}
