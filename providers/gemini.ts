import type { ProviderDeclaration } from '../src/upstream/provider.ts';

export default {
  name: 'gemini',
  title: 'Google Gemini',
  dialect: 'gemini',
  names: 'vendor',
  baseUrl: 'https://generativelanguage.googleapis.com',
  // The more telling name first: GOOGLE_API_KEY may be meant for another Google service.
  envKeys: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
  envBaseUrl: 'GOOGLE_GEMINI_BASE_URL',
  authorize: (credential) => ({ 'x-goog-api-key': credential }),
  credential: 'required',
} satisfies ProviderDeclaration;
