import type { FastifyInstance, FastifyReply } from 'fastify';
import { GatewayError } from '../conversation/gateway-error.ts';
import { authenticate } from '../gateway/admit.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { type Caller, ownerOf, type Snapshot } from '../gateway/snapshot.ts';
import type { Owner } from '../tenants/owner.ts';
import { looksLikeToken } from '../tenants/token-ring.ts';
import type { KeyHolder } from './credentials.ts';
import { letIn } from './let-in.ts';
import type { Lifecycle } from './lifecycle.ts';
import { recordRefused } from './record-refused.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls, at the doors that need a key. */
    caller: Caller | null;
    /** The configuration by which it was let in: its call keeps it. */
    snapshot: Snapshot | null;
  }
}

/** What all doors of one API family need to let anyone in. */
export interface Access {
  gateway: Gateway;
  lifecycle: Lifecycle;
  /** Where the family's clients put their key. */
  readKey(request: KeyHolder): string | undefined;
}

/** Closes the doors of a plugin to whoever has no key, and to everyone while the instance is not ready. */
export function requireKey(doors: FastifyInstance, { gateway, lifecycle, readKey }: Access): void {
  doors.decorateRequest('caller', null);
  doors.decorateRequest('snapshot', null);
  // Before any body is read: whoever has no key must not be able to fill the memory either.
  doors.addHook('onRequest', (request, reply, done) => {
    refuseUnlessReady(lifecycle, reply);
    const { snapshot } = gateway;
    const credential = readKey(request);
    const enter = () => {
      request.caller = authenticate(snapshot, credential);
      request.snapshot = snapshot;
      letIn(request.raw);
    };
    const { tokens } = snapshot;
    if (tokens && credential !== undefined && looksLikeToken(credential) && !tokens.find(credential)) {
      letIn(request.raw);
      tokens
        .admit(credential)
        .then(enter)
        .then(() => done(), done);
      return;
    }
    enter();
    done();
  });
  doors.addHook('onError', (request, reply, error, done) => {
    recordRefused(gateway, request, reply, error);
    done();
  });
}

function refuseUnlessReady({ phase }: Lifecycle, reply: FastifyReply): void {
  if (phase === 'ready') return;
  // The next try should meet another instance.
  reply.header('connection', 'close');
  throw new GatewayError('overloaded', `This instance is ${phase}; try again.`, { retryAfterMs: 1000 });
}

/** The hook has set it, or thrown. */
export function authenticated(caller: Caller | null): Caller {
  if (!caller) throw new Error('a door that needs a key was entered without one');
  return caller;
}

/** Who has what a request may ask for, and what it leaves behind. */
export function ownerOfRequest({
  caller,
  snapshot,
}: {
  caller: Caller | null;
  snapshot: Snapshot | null;
}): Owner {
  if (!snapshot) throw new Error('a door that needs a key was entered without a configuration');
  return ownerOf({ caller: authenticated(caller), snapshot });
}
