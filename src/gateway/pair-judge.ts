import type { Completion } from '../conversation/completion.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { chat } from '../dialects/chat/index.ts';
import { passThrough } from '../dialects/chat/pass-through.ts';
import { RANKS } from '../overload/bounds.ts';
import { Holder } from '../overload/share.ts';
import type { JudgeLimits } from '../rollouts/gates.ts';
import type { Rollout } from '../rollouts/rollout-book.ts';
import { OPERATOR } from '../usage/operator.ts';
import type { Scores } from '../usage/rollout-note.ts';
import type { Call, CallSide } from './call.ts';
import type { Door } from './door.ts';
import type { Gateway } from './gateway.ts';
import { readAnswer, type ToldAnswer } from './judge-answer.ts';
import type { OwnCalls } from './own-calls.ts';
import { type PairTexts, pairPrompt, pairTexts, readPairScores } from './pair-prompt.ts';
import { parseBody } from './parse-body.ts';
import { hasPlaceFor } from './regions.ts';
import type { Caller } from './snapshot.ts';

/** The key that a judge's calls are recorded under. */
const JUDGE_KEY = 'judge';

const CHAT: Door = { dialect: chat, operation: 'generate', passThrough };

/** So often a judge is asked whose answer cannot be read. */
const MOST_ASKED = 3;
/** Pairs of calls and their copies that are judged at once, of all rollouts. More are not scored. */
const MOST_AT_ONCE = 4;

/** A prompt of the operator's scores as `minScore` does. */
const BEST_OF_PROMPTS = 1;
const NOWHERE = { targets: [], retries: 0 };

/** What both sides answered to one request. */
export interface AnswerPair {
  /** `regions`: where its tenant's calls may be served. */
  request: Pick<Call, 'door' | 'body' | 'address'> & Pick<Caller, 'regions'>;
  stable: ToldAnswer;
  candidate: ToldAnswer;
}

export interface PairJudgeOptions {
  gateway: () => Gateway;
  own: OwnCalls;
  /** From 0 to 1, without 1. */
  random: () => number;
}

/** Has a model score pairs of answers, without knowing which is whose. It costs the operator. */
export class PairJudge {
  readonly #options: PairJudgeOptions;
  readonly #caller: Caller = {
    ...{ tenant: OPERATOR, key: JUDGE_KEY, mayCall: () => true, mayPrompt: () => true },
    ...{ limits: undefined, holder: new Holder(), rank: RANKS.low },
  };
  /** Of those that rollouts learn from. */
  #running = 0;

  constructor(options: PairJudgeOptions) {
    this.#options = options;
  }

  /** Whether a pair of a rollout is to be judged: as often as it says, by chance. */
  wants({ spec: { gates } }: Rollout): boolean {
    const { judge } = gates;
    return judge !== undefined && this.#options.random() < (judge.share ?? 1);
  }

  /**
   * The scores of a pair: `unread` where the judge said none that can be read, `undefined` where it was not asked, or could not be. Never rejects.
   *
   * @param isLearned whether the rollout learns from them: the records of the judge's calls have them then, and more than may be at once are not made
   */
  async judge(
    rollout: Rollout,
    pair: AnswerPair,
    isLearned: boolean,
  ): Promise<Scores | 'unread' | undefined> {
    const { judge } = rollout.spec.gates;
    if (!judge || (isLearned && this.#running >= MOST_AT_ONCE)) return undefined;
    if (isLearned) this.#running += 1;
    try {
      return await this.#score(rollout, judge, pair, isLearned);
    } catch (err) {
      // The store may be away, which has the judge's prompt.
      const message = 'a pair of answers could not be judged';
      this.#options.gateway().log.error({ rollout: rollout.spec.name, err }, message);
      return undefined;
    } finally {
      if (isLearned) this.#running -= 1;
    }
  }

  async #score(
    rollout: Rollout,
    judge: JudgeLimits,
    pair: AnswerPair,
    isLearned: boolean,
  ): Promise<Scores | 'unread' | undefined> {
    const { gateway, own, random } = this.#options;
    const isStableFirst = random() < 0.5;
    const texts = writeTexts(pair, isStableFirst);
    if (!texts) return undefined;
    const { snapshot } = gateway();
    const question = await this.#ask(judge, texts);
    const places = question.refusal ? NOWHERE : snapshot.routes.resolve(question.model);
    if (!places) return undefined;
    const caller = { ...this.#caller, regions: pair.request.regions };
    const { targets, retries } = places;
    // Where the judge may not see what a tenant says, nothing is scored.
    if (targets.length > 0 && !targets.some((target) => hasPlaceFor(caller, target))) return undefined;
    const readScores = (answer: Completion): Scores | undefined => {
      const scores = readPairScores(answer, judge.prompt === undefined ? undefined : BEST_OF_PROMPTS);
      if (!scores) return undefined;
      const { a, b } = scores;
      return isStableFirst ? { stable: a, candidate: b } : { stable: b, candidate: a };
    };
    const side: CallSide = {
      ...{ name: rollout.spec.name, side: 'candidate', readScores },
      get isWatched() {
        return isLearned && rollout.isWatched;
      },
    };
    for (let asked = 0; asked < MOST_ASKED && !own.isStopped; asked += 1) {
      const { door, body, refusal } = question;
      const made = own.make({
        ...{ door, snapshot, caller, body, refusal, targets, retries, rollout: side },
      });
      const { outcome } = await own.send(made).over;
      // That was tried again already, as often as the judge's model is.
      if (outcome !== 'ok') return 'unread';
      const answer = readAnswer(made.call);
      const scores = answer && readScores(answer);
      if (scores) return scores;
    }
    return 'unread';
  }

  /** What the judge is asked, in the words of the gateway or of a prompt. */
  async #ask({ model = '', prompt }: JudgeLimits, texts: PairTexts): Promise<Question> {
    if (prompt === undefined)
      return { model, door: CHAT, body: Buffer.from(JSON.stringify(pairPrompt(model, texts))) };
    try {
      const asked = await this.#options.gateway().prompts.ask(prompt, { ...texts });
      const request = model === '' ? asked.request : { ...asked.request, model };
      const body = Buffer.from(JSON.stringify(request));
      return { model: String(request['model']), body, door: { ...CHAT, prompt: asked.prompt } };
    } catch (refusal) {
      if (!(refusal instanceof GatewayError)) throw refusal;
      return { model, body: Buffer.alloc(0), door: { ...CHAT, prompt }, refusal };
    }
  }
}

interface Question {
  model: string;
  door: Door;
  body: Buffer;
  /** The prompt cannot be asked by: that is told by a record, as what cannot be read is. */
  refusal?: GatewayError;
}

/** `undefined` where one of the answers, or the request, is in no form that is read here. */
function writeTexts(
  { request, stable, candidate }: AnswerPair,
  isStableFirst: boolean,
): PairTexts | undefined {
  const [ofStable, ofCandidate] = [readAnswer(stable), readAnswer(candidate)];
  if (!ofStable || !ofCandidate) return undefined;
  try {
    const { door, body, address } = request;
    const conversation = door.dialect.decodeRequest(parseBody(body), address ?? {});
    const [a, b] = isStableFirst ? [ofStable, ofCandidate] : [ofCandidate, ofStable];
    return pairTexts(conversation, { a, b });
  } catch {
    // What a provider of the caller's dialect took and this gateway does not know.
    return undefined;
  }
}
