import type { JsonObject } from '../conversation/json.ts';

/** A response that a client may go on from: kept here, or known to be kept by the provider that made it. */
export type KeptResponse = KeptHere | KeptAtProvider;

/** Whose a response is. */
export type ResponseOwner = Pick<Kept, 'tenant' | 'life'>;

interface Kept {
  id: string;
  tenant: string;
  /** Tells its tenant apart from others of the name. */
  life: number;
  key: string;
  /** Unix milliseconds. */
  createdAt: number;
  /** Unix milliseconds. */
  expiresAt: number;
  /** `provider/model-version`: what made it. */
  target: string;
}

export interface KeptHere extends Kept {
  where: 'here';
  /** The `input` of its request as JSON text, earlier turns included. */
  input: string;
  response: JsonObject;
}

export interface KeptAtProvider extends Kept {
  where: 'provider';
  /** The account of the target's provider that has it. */
  account: string;
}
