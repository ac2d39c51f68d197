import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Completion } from '../conversation/completion.ts';
import type { JsonObject } from '../conversation/json.ts';
import { inputTokens, outputTokens } from '../conversation/usage.ts';
import type { EarlierAnswer, Prepare } from '../gateway/answer-kept.ts';
import type { Call } from '../gateway/call.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { ownerOf } from '../gateway/snapshot.ts';
import type { AnswerCache, KeptAnswer, Land } from '../prompts/answer-cache.ts';
import type { Prompt } from '../prompts/compile-prompt.ts';
import { isKeepable, watchAnswers } from '../prompts/keepable.ts';

/** What a call that names a prompt asks of the prompt's model. */
export interface AskedPrompt {
  prompt: Prompt;
  /** What the prompt makes of the input. */
  chatRequest: JsonObject;
}

export interface PromptCacheOptions {
  answers: AnswerCache;
  prices: Pick<Gateway['prices'], 'costMicroUsd'>;
  /** Unix milliseconds. */
  now: () => number;
}

const HEADER = 'x-fairlead-cache';

/** Answers of prompts, given again to calls of the same. Calls for one answer at the same time are one call of its model. */
export class PromptCache {
  readonly #answers: AnswerCache;
  readonly #prices: Pick<Gateway['prices'], 'costMicroUsd'>;
  readonly #now: () => number;

  constructor({ answers, prices, now }: PromptCacheOptions) {
    this.#answers = answers;
    this.#prices = prices;
    this.#now = now;
  }

  /** Gives a call the earlier answer that there is; where there is none the call goes on, and what comes of it is kept. Nothing of a prompt without a cache. */
  prepareFor(asked: AskedPrompt): Prepare | undefined {
    const { cacheMs } = asked.prompt;
    return cacheMs === undefined ? undefined : (call) => this.#findOrWatch(call, asked, cacheMs);
  }

  async #findOrWatch(call: Call, asked: AskedPrompt, keepMs: number): Promise<EarlierAnswer | undefined> {
    const { prompt, chatRequest } = asked;
    const { keeps, asksAnew } = readWishes(call.response.req.headers);
    // Who may not call the model learns that from the call.
    const mayCall = call.caller.mayCall(String(chatRequest['model']));
    const key = keyOf(call, asked);
    const turn = asksAnew || !mayCall ? undefined : await this.#findOrBegin(key, call);
    if (call.cancelled) {
      if (typeof turn === 'function') turn('left');
      return undefined;
    }
    if (typeof turn === 'object') {
      setHeader(call, 'hit');
      return this.#giveAgain(call, turn);
    }
    watch(call, prompt, (completion) => {
      const kept = completion && toKeep(call, completion, this.#now() + keepMs);
      if (kept && keeps) this.#answers.keep(key, kept);
      turn?.(kept ?? (call.cancelled ? 'left' : 'none'));
    });
    return undefined;
  }

  /**
   * What is kept, or what ends the wait of those who come after: then the call asks for all of them. `undefined`: it asks for itself, for
   * whoever it waited for has no answer to give.
   */
  async #findOrBegin(key: string, call: Call): Promise<KeptAnswer | Land | undefined> {
    for (;;) {
      const kept = await this.#answers.find(key);
      if (kept || call.cancelled) return kept;
      const waiting = this.#answers.join(key);
      // In the same turn, so that two do not begin.
      if (!waiting) return this.#answers.begin(key, () => call.cancelled);
      const landing = await waiting;
      if (landing !== 'left') return landing === 'none' ? undefined : landing;
    }
  }

  #giveAgain({ startedAt }: Call, { completion, target, usage }: KeptAnswer): EarlierAnswer {
    const tokens = usage ? inputTokens(usage) + outputTokens(usage) : 0;
    const costMicroUsd = usage && this.#prices.costMicroUsd(target, usage, startedAt);
    return { completion, saved: { tokens, costMicroUsd } };
  }
}

/** Source: RFC 9111 5.2.1, of which `no-cache` and `no-store` mean something here. */
function readWishes(headers: IncomingHttpHeaders): { keeps: boolean; asksAnew: boolean } {
  const said = headers['cache-control'] ?? '';
  const keeps = !/\bno-store\b/i.test(said);
  return { keeps, asksAnew: !keeps || /\bno-cache\b/i.test(said) };
}

/** Tenants share nothing, and nothing outlives a change of the prompt. At which door it is asked is of no matter. */
function keyOf({ door, caller, snapshot }: Call, { prompt, chatRequest }: AskedPrompt): string {
  const { stream: _, ...asked } = chatRequest;
  const { tenant, life } = ownerOf({ snapshot, caller });
  return createHash('sha256')
    .update(JSON.stringify([tenant, life, door.prompt ?? prompt.name, prompt.hash, asked]))
    .digest('hex');
}

/** Tells of a call that is over what it answered, where that may be given again. */
function watch(call: Call, prompt: Prompt, tell: (completion: Completion | undefined) => void): void {
  let shown: Completion | undefined;
  const watched = watchAnswers(call.door.dialect, (completion) => {
    shown = completion;
  });
  setHeader(call, 'miss');
  // Also between two sides of one dialect: what is kept must be read.
  call.door = { ...call.door, dialect: watched, translatesAnswers: true };
  // Behind the gateway's own listener, which notes that the client has left.
  call.response.once('close', () => {
    const isWhole = shown && call.response.writableFinished && isKeepable(prompt, shown);
    tell(isWhole ? shown : undefined);
  });
}

function toKeep(call: Call, completion: Completion, expiresAt: number): KeptAnswer | undefined {
  const { target, usage } = call.acting ?? call;
  if (!target) return undefined;
  return { completion, target: target.name, usage: completion.usage ?? usage ?? null, expiresAt };
}

function setHeader(call: Call, value: 'hit' | 'miss'): void {
  call.door = { ...call.door, headers: [...(call.door.headers ?? []), HEADER, value] };
}
