import { GatewayError } from '../conversation/gateway-error.ts';
import type { Whose } from '../rollouts/observation.ts';
import type { Rollout } from '../rollouts/rollout-book.ts';
import { OPERATOR } from '../usage/operator.ts';
import type { Call, CallSide } from './call.ts';
import type { ModelRollout } from './choose-side.ts';
import { copiedBody } from './copied-body.ts';
import type { Gateway } from './gateway.ts';
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
const SHADOW_KEY = 'shadow';

export interface ShadowOptions {
  gateway: () => Pick<Gateway, 'log'>;
  own: Pick<OwnCalls, 'make' | 'send' | 'isStopped'>;
  judge: Pick<PairJudge, 'wants' | 'judge'>;
  /** From 0 to 1, without 1. */
  random: () => number;
}

/** A copy that is under way, from when it is decided on. */
interface Copy {
  rollout: Rollout;
  /** What is to be judged beside it. */
  answered: Omit<AnswerPair, 'candidate'> | undefined;
  /** As of the call. */
  whose: Omit<Whose, 'side'>;
  /** What is held in memory for it. */
  bytes: number;
}

type CopyRequest = Omit<UnseenRequest, 'id' | 'rollout'> & { rollout: Partial<CallSide> };

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
    else if (side.ofPrompt?.candidate) void this.#copyForPrompt(call, rollout, side.ofPrompt.candidate);
  }

  #copyForModel(call: Call, { rollout, candidate, stable }: ModelRollout): void {
    const { door, snapshot, address, forward, retries, caller } = call;
    const body = copiedBody(call);
    if (!body) return;
    this.#send(this.#begin(call, rollout), {
      ...{ door, snapshot, body, address, forward, retries, caller, rollout: { candidate, stable } },
      ...{ model: candidate.name, targets: [candidate] },
    });
  }

  /** What the candidate's version makes of the same input. */
  async #copyForPrompt(call: Call, rollout: Rollout, make: () => Promise<CopiedPrompt>): Promise<void> {
    const copy = this.#begin(call, rollout);
    try {
      const { snapshot, startedAt } = call;
      const { door, body, caller, model, side: ofPrompt, refusal } = await make();
      const places = refusal ? { ...NOWHERE, refusal } : placesOf(snapshot, model, startedAt);
      const { targets } = places;
      // What its model may not serve says nothing of the version.
      const isElsewhere = targets.length > 0 && !targets.some((target) => hasPlaceFor(caller, target));
      if (isElsewhere || this.#options.own.isStopped) {
        this.#end(copy);
        return;
      }
      this.#hold(copy, body.length);
      this.#send(copy, { ...places, door, snapshot, body, caller, rollout: { ofPrompt } });
    } catch (thrown) {
      this.#end(copy);
      this.#tell(rollout, thrown);
    }
  }

  /** What the stable took before it takes again: the candidate's refusals are none of these. */
  #tell({ spec: { name: rollout } }: Rollout, thrown: unknown): void {
    const { log } = this.#options.gateway();
    const message = 'a call could not be copied for a rollout';
    if (!(thrown instanceof GatewayError)) log.error({ rollout, err: thrown }, message);
    else log.warn({ rollout, kind: thrown.kind, reason: thrown.message }, message);
  }

  #send(copy: Copy, { rollout: side, caller, ...request }: CopyRequest): void {
    const { rollout, answered, whose } = copy;
    const { name } = rollout.spec;
    const { own, judge } = this.#options;
    const made = own.make({
      ...request,
      rollout: {
        ...{ ...side, name, side: 'candidate', release: rollout.origin?.candidate.number },
        ...whose,
        // It may have ended when the copy does.
        get isWatched() {
          return rollout.isWatched;
        },
      },
      caller: { ...caller, tenant: OPERATOR, key: SHADOW_KEY, capture: undefined, limits: undefined },
    });
    void own.send(made).over.then(({ outcome }) => {
      this.#end(copy);
      if (answered && outcome === 'ok')
        void judge.judge(rollout, { ...answered, candidate: made.call }, true);
    });
  }

  #begin(call: Call, rollout: Rollout): Copy {
    const answered = this.#options.judge.wants(rollout) ? answerOf(call) : undefined;
    const { name } = rollout.spec;
    this.#running.set(name, (this.#running.get(name) ?? 0) + 1);
    const { user, isByRule = false } = call.rollout ?? {};
    const copy: Copy = { rollout, answered, whose: { user, isByRule }, bytes: 0 };
    this.#hold(copy, call.body.length + (answered?.stable.tap?.byteLength ?? 0));
    return copy;
  }

  #hold(copy: Copy, bytes: number): void {
    copy.bytes += bytes;
    this.#bytes += bytes;
  }

  #end({ rollout: { spec }, bytes }: Copy): void {
    this.#running.set(spec.name, (this.#running.get(spec.name) ?? 1) - 1);
    this.#bytes -= bytes;
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
