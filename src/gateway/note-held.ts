import { createHash } from 'node:crypto';
import type { HeldReference } from '../dialects/held-references.ts';
import type { UpstreamObject } from '../tenants/upstream-objects.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { PlannedAttempt } from './plan.ts';
import { ownerOf } from './snapshot.ts';

/** What calls leave behind, which the tenant has whose call made it or was the first to name it. */
export type LeftBehind = 'conversation' | 'container' | 'audio' | 'thread' | 'continuation' | 'compared';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/**
 * How long it is known whose something is, from the last time that a call was seen to name it. Containers live for up to
 * 30 days (Anthropic; OpenAI: 20 minutes without use), conversations until they are deleted, which nobody tells us, what a
 * model said for an hour (OpenAI), a message thread for five minutes (Anthropic); how long a token
 * is good by which an answer goes on Google does not say; what is compared is about a prompt cache, whose longest life is an hour (Anthropic).
 */
const LIVES_MS: Readonly<Record<LeftBehind, number>> = {
  container: 30 * DAY_MS,
  conversation: 365 * DAY_MS,
  audio: DAY_MS,
  thread: HOUR_MS,
  continuation: DAY_MS,
  compared: HOUR_MS,
};

/** Whether what a call names again is due to be noted again, so that it does not expire while it is used. */
export function isDue({ kind, expires_at: expiresAt }: UpstreamObject, now: number): boolean {
  return isLeftBehind(kind) && expiresAt !== null && expiresAt - now < LIVES_MS[kind] / 2;
}

export function isLeftBehind(kind: string): kind is LeftBehind {
  return Object.hasOwn(LIVES_MS, kind);
}

/** What turns are gone on with by: who began one is to go on with it. */
export function isThread(kind: string): boolean {
  return kind === 'conversation' || kind === 'thread';
}

/** What something is noted by: tokens can be long, and whoever reads the store need not be able to use them. */
export function keyOf({ kind, id }: Pick<HeldReference, 'kind' | 'id'>): string {
  return kind === 'continuation' ? createHash('sha256').update(id).digest('hex') : id;
}

/** A provider has accepted the call: what it named that is nobody's is its tenant's from here on. */
export function claimNamed(gateway: Gateway, call: Call, { target, account }: PlannedAttempt): void {
  const { toClaim = [], goesOnIn } = call;
  const named = goesOnIn && call.began !== target.name ? [...toClaim, goesOnIn] : toClaim;
  if (named.length === 0) return;
  call.toClaim = undefined;
  call.goesOnIn = undefined;
  const place = { provider: target.upstream.name, account: account.name, target: target.name };
  noteLeftBehind(gateway, call, place, named);
}

/** Notes what a call leaves behind at an account; `call.noting` tells when that is done. */
export function noteLeftBehind(
  { objects, log, now }: Gateway,
  call: Call,
  { target, ...place }: Pick<UpstreamObject, 'provider' | 'account' | 'target'>,
  named: readonly Pick<HeldReference, 'kind' | 'id'>[],
): void {
  const owner = ownerOf(call);
  const { key } = call.caller;
  const createdAt = now();
  const rows = named.flatMap(({ kind, id }): UpstreamObject[] => {
    if (!isLeftBehind(kind)) return [];
    const times = { created_at: createdAt, expires_at: createdAt + LIVES_MS[kind] };
    const answering = isThread(kind) ? target : null;
    return [
      {
        ...{ id: keyOf({ kind, id }), kind, ...owner, key, ...place, ...times },
        ...{ object: null, target: answering },
      },
    ];
  });
  if (rows.length === 0) return;
  const bound = objects
    .bind(rows)
    .catch((err: unknown) =>
      log.error({ call: call.id, err }, 'what a call leaves behind could not be noted'),
    );
  const { noting } = call;
  call.noting = noting ? noting.then(() => bound) : bound;
}
