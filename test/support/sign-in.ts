import type { SignInContext } from '../../src/upstream/sign-in/create-signer.ts';

/** For upstreams that never sign in anywhere: whatever they would ask fails. */
export const NO_SIGN_IN: SignInContext = {
  now: Date.now,
  fetch: () => Promise.reject(new Error('nobody signs in here')),
  warn: (_fields, message) => {
    throw new Error(message);
  },
};
