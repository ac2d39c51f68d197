import { createHmac } from 'node:crypto';

/**
 * Proofs that a fake issues with reasoning and demands back: a fake knows its own and no other's, and only with the
 * content that it was issued for.
 */
export interface Signer {
  sign(content: string): string;
  isValid(content: string, signature: string): boolean;
}

export function createSigner(secret: string): Signer {
  const sign = (content: string): string => createHmac('sha256', secret).update(content).digest('base64');
  return { sign, isValid: (content, signature) => sign(content) === signature };
}

/** For requests recorded from the real API, whose signatures nobody else can check. */
export const TRUSTING_SIGNER: Signer = { sign: () => '', isValid: () => true };
