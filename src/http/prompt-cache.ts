import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Completion } from '../conversation/completion.ts';
import { inputTokens, outputTokens } from '../conversation/usage.ts';
import { answerKept } from '../gateway/answer-kept.ts';
import type { Call } from '../gateway/call.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { handleCall } from '../gateway/handle-call.ts';
import { ownerOf, type Snapshot } from '../gateway/snapshot.ts';
import type { AnswerCache, KeptAnswer, Landing } from '../prompts/answer-cache.ts';
import { isKeepable, watchAnswers } from '../prompts/keepable.ts';
import type { SavedUse } from '../usage/record.ts';
import type { SidedPrompt } from './prompt-sides.ts';
import { beginCall } from './take-call.ts';

/** A call of a prompt that wants its answers kept. */
export interface CachedCall extends SidedPrompt {
  /** How long they are. */
  ttlMs: number;
}

const HEADER = 'x-fairlead-cache';

/** Answers with an earlier answer, or takes the call and keeps its answer. Calls for the same answer at the same time become one. */
export async function takeThroughCache(
  gateway: Gateway,
  cache: AnswerCache,
  call: CachedCall,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const said = request.headers['cache-control'] ?? '';
  const keeps = !/\bno-store\b/i.test(said);
  const asksAnew = !keeps || /\bno-cache\b/i.test(said);
  // Who may not call the model learns that from the call.
  const mayCall = call.caller.mayCall(String(call.chatRequest['model']));
  const key = keyOf(call, request.snapshot ?? gateway.snapshot);
  const turn = asksAnew || !mayCall ? undefined : await findOrBegin(cache, key);
  if (typeof turn === 'object') {
    giveAgain(gateway, call, turn, request, reply);
    return;
  }
  lead(gateway, call, request, reply, (landing) => {
    if (keeps && typeof landing === 'object') cache.keep(key, landing);
    turn?.(landing);
  });
}

/** Tenants share nothing, and nothing outlives a change of the prompt. */
function keyOf({ prompt, door, chatRequest, caller }: CachedCall, snapshot: Snapshot): string {
  const { stream: _, ...asked } = chatRequest;
  const { tenant, life } = ownerOf({ snapshot, caller });
  return createHash('sha256')
    .update(JSON.stringify([tenant, life, door.prompt ?? prompt.name, prompt.hash, asked]))
    .digest('hex');
}

/**
 * What is kept, or what ends the wait of those who come after: then the call asks for all of them. `undefined`: it asks for itself, for whoever
 * it waited for has no answer to give.
 */
async function findOrBegin(
  cache: AnswerCache,
  key: string,
): Promise<KeptAnswer | ((landing: Landing) => void) | undefined> {
  for (;;) {
    const kept = await cache.find(key);
    if (kept) return kept;
    const waiting = cache.join(key);
    // In the same turn, so that two do not begin.
    if (!waiting) return cache.begin(key);
    const landing = await waiting;
    if (landing !== 'left') return landing === 'none' ? undefined : landing;
  }
}

function giveAgain(
  gateway: Gateway,
  { door, body, caller, rollout }: CachedCall,
  { completion, target, usage }: KeptAnswer,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const call = beginCall(gateway, withHeader(door, 'hit'), request, reply, { body, caller, rollout });
  if (!call) return;
  const saved: SavedUse = {
    tokens: usage ? inputTokens(usage) + outputTokens(usage) : 0,
    costMicroUsd: usage && gateway.prices.costMicroUsd(target, usage, call.startedAt),
  };
  answerKept(gateway, call, completion, saved);
}

function lead(
  gateway: Gateway,
  { prompt, ttlMs, door, body, caller, rollout }: CachedCall,
  request: FastifyRequest,
  reply: FastifyReply,
  land: (landing: Landing) => void,
): void {
  let shown: Completion | undefined;
  const watched = watchAnswers(door.dialect, (completion) => {
    shown = completion;
  });
  // Also between two sides of one dialect: what is kept must be read.
  const own: Door = { ...withHeader(door, 'miss'), dialect: watched, translatesAnswers: true };
  const call = beginCall(gateway, own, request, reply, { body, caller, rollout });
  if (!call) {
    land('left');
    return;
  }
  handleCall(gateway, call);
  // Behind the gateway's own listener, which notes that the client has left.
  reply.raw.once('close', () => {
    if (!shown || !reply.raw.writableFinished) land(call.cancelled ? 'left' : 'none');
    else land(isKeepable(prompt, shown) ? toKeep(call, shown, gateway.now() + ttlMs) : 'none');
  });
}

function toKeep(call: Call, completion: Completion, expiresAt: number): Landing {
  const { target, usage } = call.acting ?? call;
  if (!target) return 'none';
  return { completion, target: target.name, usage: completion.usage ?? usage ?? null, expiresAt };
}

function withHeader(door: Door, value: 'hit' | 'miss'): Door {
  return { ...door, headers: [...(door.headers ?? []), HEADER, value] };
}
