import type { FastifyReply, FastifyRequest } from 'fastify';
import { Call, type CallAddress, type CallSide } from '../gateway/call.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { handleCall } from '../gateway/handle-call.ts';
import type { ObjectCall } from '../gateway/object-call.ts';
import type { Caller } from '../gateway/snapshot.ts';
import type { Upload } from '../gateway/upload.ts';
import { authenticated } from './access.ts';

const NO_BODY = Buffer.alloc(0);

/** What a request says outside of its body, where its dialect says something there. */
export interface Beside {
  address?: CallAddress;
  forward?: Readonly<Record<string, string>> | undefined;
  /** The body, where it is handed on while it arrives. */
  upload?: Upload | undefined;
  object?: ObjectCall;
  /** The body, where it is not what was sent. */
  body?: Buffer;
  /** Who calls, where what may be called is not what the key alone may. */
  caller?: Caller;
  /** The side that it is on, where its prompt is in a rollout. */
  rollout?: CallSide | undefined;
}

/** Hands a request over to the gateway, which answers it by itself. */
export function takeCall(
  gateway: Gateway,
  door: Door,
  request: FastifyRequest,
  reply: FastifyReply,
  beside?: Beside,
): void {
  const call = beginCall(gateway, door, request, reply, beside);
  if (call) handleCall(gateway, call);
}

/** The call that a request is, which is the gateway's to answer; `undefined` where nobody waits for that any more. */
export function beginCall(
  gateway: Gateway,
  door: Door,
  request: FastifyRequest,
  reply: FastifyReply,
  beside?: Beside,
): Call | undefined {
  reply.hijack();
  // Gone while its body was unpacked: its 'close' has been, and nobody would ever cancel the call.
  if (reply.raw.destroyed) return undefined;
  const call = new Call({
    id: request.id,
    startedAt: gateway.now(),
    startedMs: gateway.monotonicMs(),
    door,
    // Not what is in force by now: the body may have taken its time, and a call is of one configuration.
    snapshot: request.snapshot ?? gateway.snapshot,
    caller: beside?.caller ?? authenticated(request.caller),
    body: beside?.body ?? (Buffer.isBuffer(request.body) ? request.body : NO_BODY),
    response: reply.raw,
    address: beside?.address,
    forward: beside?.forward,
    upload: beside?.upload,
    object: beside?.object,
  });
  call.rollout = beside?.rollout;
  return call;
}
