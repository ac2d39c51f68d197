import { OPERATOR } from '../usage/operator.ts';
import type { Call, CallSide } from './call.ts';
import type { ModelRollout } from './choose-side.ts';
import { copiedBody } from './copied-body.ts';
import type { OwnCalls } from './own-calls.ts';
import type { AnswerPair, PairJudge } from './pair-judge.ts';

/** What the requests may come to of which copies are under way. */
const MAX_BYTES = 16 * 1024 * 1024;

/** The key that copies are recorded under. */
export const SHADOW_KEY = 'shadow';

export interface ShadowOptions {
  own: Pick<OwnCalls, 'make' | 'send' | 'isStopped'>;
  judge: Pick<PairJudge, 'wants' | 'judge'>;
  /** From 0 to 1, without 1. */
  random: () => number;
}

/**
 * Sends the candidate of a rollout copies of calls that the stable answered, when those are over: no client waits for one, and none
 * sees it. Whether a call is copied does not depend on how it went, so that both sides are compared over the same calls. Copies cost the operator,
 * and beyond their bounds none are made.
 */
export class Shadows {
  readonly #options: ShadowOptions;
  /** How many are under way, by rollout. */
  readonly #running = new Map<string, number>();
  #bytes = 0;

  constructor(options: ShadowOptions) {
    this.#options = options;
  }

  /** A call of a rollout is over. */
  take(call: Call): void {
    const { rollout: side } = call;
    if (this.#options.own.isStopped || !side?.moved || side.side !== 'stable' || call.cancelled) return;
    // One that nobody was asked to answer says nothing of the stable either.
    if (call.attempts.length === 0 || !side.moved.rollout.isShadowed) return;
    const { name, shadow } = side.moved.rollout.spec;
    if (!shadow || this.#options.random() >= shadow.share) return;
    if ((this.#running.get(name) ?? 0) >= shadow.maxConcurrentCalls) return;
    if (this.#bytes + call.body.length > MAX_BYTES) return;
    const body = copiedBody(call);
    if (body) this.#send(call, side.moved, body);
  }

  #send(call: Call, { rollout, candidate, stable }: ModelRollout, body: Buffer): void {
    const { door, snapshot, caller, address, forward, retries } = call;
    const { name } = rollout.spec;
    const side: CallSide = {
      ...{ name, side: 'candidate', candidate, stable },
      // It may have ended when the copy does.
      get isWatched() {
        return rollout.isWatched;
      },
    };
    const { own, judge } = this.#options;
    const answered = judge.wants(rollout) ? answerOf(call) : undefined;
    const copy = own.make({
      ...{ door, snapshot, body, address, forward, retries },
      ...{ model: candidate.name, targets: [candidate], rollout: side },
      caller: { ...caller, tenant: OPERATOR, key: SHADOW_KEY, capture: undefined, limits: undefined },
    });
    const bytes = body.length + (answered?.stable.tap?.byteLength ?? 0);
    this.#count(name, 1, bytes);
    void own.send(copy).over.then(({ outcome }) => {
      this.#count(name, -1, -bytes);
      if (answered && outcome === 'ok')
        void judge.judge(rollout, { ...answered, candidate: copy.call }, true);
    });
  }

  #count(rollout: string, copies: number, bytes: number): void {
    this.#running.set(rollout, (this.#running.get(rollout) ?? 0) + copies);
    this.#bytes += bytes;
  }
}

/** What is judged of a call beside its copy; `undefined` where it was not answered. */
function answerOf(call: Call): Omit<AnswerPair, 'candidate'> | undefined {
  const { door, body, address, attempts } = call;
  if (!attempts.some(({ outcome }) => outcome === 'ok')) return undefined;
  // Not the call itself: it holds a connection.
  const { tap, stream } = call.acting ?? call;
  return { request: { door, body, address }, stable: { door, tap, stream } };
}
