import type { ListRequest, ObjectKind } from '../tenants/upstream-objects.ts';

/** A call about something that a provider keeps. */
export type ObjectCall =
  /** `provider`: the one that the caller named, where it named one. */
  | { kind: ObjectKind; does: 'create'; provider?: string | undefined }
  | { kind: ObjectKind; does: 'list'; page: Omit<ListRequest, 'tenant' | 'life' | 'kind'> }
  | { kind: ObjectKind; does: 'retrieve' | 'delete' | 'cancel' | 'content'; id: string };

/** The method, and what stands behind the path of the object. */
export const OBJECT_REQUESTS = {
  create: { method: 'POST', suffix: '' },
  retrieve: { method: 'GET', suffix: '' },
  delete: { method: 'DELETE', suffix: '' },
  cancel: { method: 'POST', suffix: '/cancel' },
  content: { method: 'GET', suffix: '/content' },
} as const satisfies Record<Exclude<ObjectCall['does'], 'list'>, { method: string; suffix: string }>;

/**
 * A batch costs what its lines use, so that whose tokens or money are spent cannot make one. The call itself costs nothing: what the
 * lines used is a record of its own, once the batch has ended (`bill-batch.ts`).
 */
export function isFree({ kind, does }: ObjectCall): boolean {
  return !(kind === 'batch' && does === 'create');
}
