import type { ProviderDeclaration } from '../src/upstream/provider.ts';

export default {
  name: 'anthropic',
  title: 'Anthropic',
  dialect: 'messages',
  names: 'vendor',
  baseUrl: 'https://api.anthropic.com',
  envKeys: ['ANTHROPIC_API_KEY'],
  envBaseUrl: 'ANTHROPIC_BASE_URL',
  authorize: (credential) => ({ 'x-api-key': credential }),
  // Not the newest version: 2026-10-21 refuses `temperature`, `top_p` and `top_k`, which callers do send.
  headers: { 'anthropic-version': '2023-06-01' },
  callersHeaders: ['anthropic-user-profile-id', 'anthropic-workspace-id'],
  credential: 'required',
  readsBilling: true,
  threads: true,
} satisfies ProviderDeclaration;
