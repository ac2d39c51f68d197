import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/** Source: Amazon Bedrock API reference, "Converse", "ConverseStream" and "InvokeModel". Model ids, inference profiles and ARNs are models. */
export default {
  name: 'bedrock',
  title: 'Amazon Bedrock',
  dialect: 'converse',
  paths: {
    generate: ({ model, stream }) => `/model/${model}/${stream ? 'converse-stream' : 'converse'}`,
    embed: ({ model }) => `/model/${model}/invoke`,
  },
  baseUrlAt: ({ region }) => `https://bedrock-runtime.${region}.amazonaws.com`,
  // A Bedrock API key, which is a bearer token.
  envKeys: ['AWS_BEARER_TOKEN_BEDROCK'],
  envBaseUrl: 'AWS_ENDPOINT_URL_BEDROCK_RUNTIME',
  settings: { region: { env: ['AWS_REGION', 'AWS_DEFAULT_REGION'], required: true } },
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  signIn: {
    kind: 'aws',
    service: 'bedrock',
    env: {
      accessKeyId: 'AWS_ACCESS_KEY_ID',
      secretAccessKey: 'AWS_SECRET_ACCESS_KEY',
      sessionToken: 'AWS_SESSION_TOKEN',
    },
  },
  credential: 'required',
} satisfies ProviderDeclaration;
