import type { FurtherSurface, ProviderDeclaration } from '../src/upstream/provider.ts';

/** Also those that are not known yet. gpt-oss is not OpenAI's to serve. */
const REASONING = /^(ft:)?(o\d|gpt-([5-9]|\d\d))/;

/**
 * What the Responses API alone serves; Chat Completions answers with 404. Whole families: what it serves of them, the Responses API
 * does, too. Sources: `ResponsesModel` of the openai package beside its `ChatModel`; OpenAI's pages of the codex and pro models
 * ("available in the Responses API only"), some of which the package lists in both.
 */
const RESPONSES_ONLY =
  /^(ft:)?(codex-|computer-use-|(o\d|gpt-[\d.]+)-(\w+-)*(codex|pro|deep-research|cyber|rosalind)(-|$)|gpt-(daybreak|rosalind)-)/;

/** OpenAI API reference, "Responses": create, count input tokens, compact. */
const RESPONSES = {
  dialect: 'responses',
  paths: {
    generate: () => '/responses',
    count: () => '/responses/input_tokens',
    compact: () => '/responses/compact',
  },
} satisfies FurtherSurface;

export default {
  name: 'openai',
  title: 'OpenAI',
  dialect: 'chat',
  names: 'vendor',
  alsoSpeaks: [{ ...RESPONSES, models: (model) => RESPONSES_ONLY.test(model) }, RESPONSES],
  baseUrl: 'https://api.openai.com/v1',
  envKeys: ['OPENAI_API_KEY'],
  envBaseUrl: 'OPENAI_BASE_URL',
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  // OpenAI API reference, "Authentication": which of the key's organisations and projects is billed.
  identifyAccount: ({ organization, project }) => ({
    ...(organization === undefined ? {} : { 'openai-organization': organization }),
    ...(project === undefined ? {} : { 'openai-project': project }),
  }),
  callersHeaders: ['openai-beta'],
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
  quirks: {
    customTools: true,
    // Deprecated, and taken all the same (API reference).
    functions: true,
    allowedTools: true,
    // Chat completions have no field for it: "Reasoning models", summaries are had in the Responses API.
    hidesReasoning: true,
    // Refused by reasoning models (API reference, `max_tokens`), and the only word of clients that are written for any
    // server of OpenAI's kin: the AI SDK's openai-compatible provider, and with it opencode.
    fields: { max_tokens: { as: 'max_completion_tokens', models: REASONING } },
  },
  // OpenAI, "Models": what the legacy endpoint has, and chat has not.
  completions: { of: /^(ft:)?(gpt-3\.5-turbo-instruct|davinci-002|babbage-002)/ },
} satisfies ProviderDeclaration;
