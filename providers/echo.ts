import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/** The built-in provider: it repeats what it is told, and says so. No key, no network. */
export default {
  name: 'echo',
  title: 'Echo (built in)',
  dialect: 'chat',
  envKeys: [],
  authorize: () => ({}),
  credential: 'none',
  inProcess: 'echo',
  models: ['echo'],
} satisfies ProviderDeclaration;
