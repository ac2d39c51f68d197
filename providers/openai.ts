import type { ProviderDeclaration } from '../src/upstream/provider.ts';

export default {
  name: 'openai',
  title: 'OpenAI',
  dialect: 'chat',
  alsoSpeaks: [{ dialect: 'responses' }],
  baseUrl: 'https://api.openai.com/v1',
  envKeys: ['OPENAI_API_KEY'],
  envBaseUrl: 'OPENAI_BASE_URL',
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  // OpenAI API reference, "Authentication": which of the key's organisations and projects is billed.
  identifyAccount: ({ organization, project }) => ({
    ...(organization === undefined ? {} : { 'openai-organization': organization }),
    ...(project === undefined ? {} : { 'openai-project': project }),
  }),
  credential: 'required',
  relays: {
    image: 'here',
    image_edit: 'here',
    image_variation: 'here',
    speech: 'here',
    transcribe: 'here',
    translate: 'here',
    moderate: 'here',
    file: 'here',
    batch: 'here',
  },
} satisfies ProviderDeclaration;
