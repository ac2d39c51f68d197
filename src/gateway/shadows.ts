import { GatewayError } from '../conversation/gateway-error.ts';
import type { Rollout } from '../rollouts/rollout-book.ts';
import { OPERATOR } from '../usage/operator.ts';
import type { Call, CallSide } from './call.ts';
import type { ModelRollout } from './choose-side.ts';
import { copiedBody } from './copied-body.ts';
import type { OwnCalls } from './own-calls.ts';
import type { AnswerPair, PairJudge } from './pair-judge.ts';
import type { CopiedPrompt } from './prompt-side.ts';
import { hasPlaceFor } from './regions.ts';
import { followSuccessors } from './retire-model.ts';
import type { Snapshot } from './snapshot.ts';
import type { UnseenRequest } from './unseen-call.ts';

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
    if (this.#options.own.isStopped || side?.side !== 'stable' || call.cancelled) return;
    const rollout = side.moved?.rollout ?? side.ofPrompt?.rollout;
    // One that nobody was asked to answer says nothing of the stable either.
    if (call.attempts.length === 0 || !rollout?.isShadowed) return;
    // What says nothing of the stable is not compared.
    if (side.note?.flags.includes('unsaid')) return;
    const { name, shadow } = rollout.spec;
    if (!shadow || this.#options.random() >= shadow.share) return;
    if ((this.#running.get(name) ?? 0) >= shadow.maxConcurrentCalls) return;
    if (this.#bytes + call.body.length > MAX_BYTES) return;
    if (side.moved) this.#copyForModel(call, side.moved);
    else if (side.ofPrompt?.candidate) this.#copyForPrompt(call, rollout, side.ofPrompt.candidate);
  }

  #copyForModel(call: Call, { rollout, candidate, stable }: ModelRollout): void {
    const { door, snapshot, address, forward, retries, caller } = call;
    const body = copiedBody(call);
    if (!body) return;
    this.#send(call, rollout, {
      ...{ door, snapshot, body, address, forward, retries, caller, rollout: { candidate, stable } },
      ...{ model: candidate.name, targets: [candidate] },
    });
  }

  /** What the candidate's version makes of the same input. */
  #copyForPrompt(call: Call, rollout: Rollout, make: () => Promise<CopiedPrompt>): void {
    const { snapshot } = call;
    void make()
      .then(({ door, body, caller, model, side: ofPrompt, refusal }) => {
        if (this.#options.own.isStopped) return;
        const places = refusal ? { ...NOWHERE, refusal } : placesOf(snapshot, model, call.startedAt);
        // What its model may not serve says nothing of the version.
        if (places.targets.length > 0 && !places.targets.some((target) => hasPlaceFor(caller, target)))
          return;
        this.#send(call, rollout, { ...places, door, snapshot, body, caller, rollout: { ofPrompt } });
      })
      // What the stable took before it takes again: nothing is left to refuse.
      .catch(() => undefined);
  }

  #send(
    call: Call,
    rollout: Rollout,
    {
      rollout: side,
      caller,
      ...request
    }: Omit<UnseenRequest, 'id' | 'rollout'> & { rollout: Partial<CallSide> },
  ): void {
    const { name } = rollout.spec;
    const { own, judge } = this.#options;
    const answered = judge.wants(rollout) ? answerOf(call) : undefined;
    const copy = own.make({
      ...request,
      rollout: {
        ...{ ...side, name, side: 'candidate', release: rollout.origin?.candidate.number },
        ...{ user: call.rollout?.user, isByRule: call.rollout?.isByRule ?? false },
        // It may have ended when the copy does.
        get isWatched() {
          return rollout.isWatched;
        },
      },
      caller: { ...caller, tenant: OPERATOR, key: SHADOW_KEY, capture: undefined, limits: undefined },
    });
    const bytes = request.body.length + (answered?.stable.tap?.byteLength ?? 0);
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

type Places = Pick<UnseenRequest, 'targets' | 'retries' | 'refusal'>;

const NOWHERE: Places = { targets: [], retries: 0 };

/** What a model's name leads to. */
function placesOf(snapshot: Snapshot, model: string, nowMs: number): Places {
  try {
    return followSuccessors(snapshot, model, nowMs).route ?? NOWHERE;
  } catch (thrown) {
    if (thrown instanceof GatewayError) return { ...NOWHERE, refusal: thrown };
    throw thrown;
  }
}

/** What is judged of a call beside its copy; `undefined` where it was not answered. */
function answerOf(call: Call): Omit<AnswerPair, 'candidate'> | undefined {
  const { door, body, address, attempts, caller } = call;
  if (!attempts.some(({ outcome }) => outcome === 'ok')) return undefined;
  // Not the call itself: it holds a connection.
  const { tap, stream, rollout } = call.acting ?? call;
  const stable = { door, tap, stream, ...(rollout?.ofPrompt && { rollout }) };
  return { request: { door, body, address, regions: caller.regions }, stable };
}
