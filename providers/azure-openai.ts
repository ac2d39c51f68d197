import type { FurtherSurface, PathRequest, ProviderDeclaration, Settings } from '../src/upstream/provider.ts';

/**
 * A dated version is for the classic surface, where the deployment stands in the URL; without one, or with `preview`,
 * it is the v1 surface, where it stands in the body's `model` as with OpenAI.
 * Sources: Azure OpenAI reference, "Data plane inference"; "Azure OpenAI API version lifecycle".
 */
function pathOf(
  path: string,
  { model, settings: { apiVersion } }: Omit<PathRequest, 'stream'>,
  inBody = false,
): string {
  if (apiVersion === undefined) return `/openai/v1${path}`;
  const query = `?api-version=${encodeURIComponent(apiVersion)}`;
  if (!isDated(apiVersion)) return `/openai/v1${path}${query}`;
  return `/openai${inBody ? '' : `/deployments/${model}`}${path}${query}`;
}

function isDated(apiVersion: string): boolean {
  return /^\d{4}-\d{2}-\d{2}/.test(apiVersion);
}

/** By the name of a deployment, which often is the model's. */
const REASONING = /^(o\d|gpt-?([5-9]|\d\d))/i;

/** The same models as at OpenAI (see `openai.ts`): "The chatCompletion operation does not work with the specified model". */
const RESPONSES_ONLY =
  /^(ft:)?(codex-|computer-use-|(o\d|gpt-[\d.]+)-(\w+-)*(codex|pro|deep-research|cyber|rosalind)(-|$)|gpt-(daybreak|rosalind)-)/i;

/**
 * "Azure OpenAI Responses API is enabled only for api-version 2025-03-01-preview and later" (Aider-AI/aider#4029). What is not dated is newer. A
 * model that has nothing else is asked there whatever the version, and Azure says so.
 */
function hasResponses({ apiVersion }: Settings): boolean {
  return apiVersion === undefined || !isDated(apiVersion) || apiVersion >= '2025-03-01';
}

const RESPONSES = {
  dialect: 'responses',
  paths: { generate: (request: PathRequest) => pathOf('/responses', request, true) },
} satisfies FurtherSurface;

export default {
  name: 'azure-openai',
  title: 'Azure OpenAI',
  dialect: 'chat',
  names: 'deployment',
  paths: {
    generate: (request) => pathOf('/chat/completions', request),
    embed: (request) => pathOf('/embeddings', request),
  },
  alsoSpeaks: [
    { ...RESPONSES, models: (model) => RESPONSES_ONLY.test(model) },
    { ...RESPONSES, isHad: hasResponses },
  ],
  envKeys: ['AZURE_OPENAI_API_KEY'],
  // The resource, as AzureOpenAI of the openai package takes it: https://RESOURCE.openai.azure.com.
  envBaseUrl: 'AZURE_OPENAI_ENDPOINT',
  settings: { apiVersion: { env: ['OPENAI_API_VERSION'] }, deployments: {} },
  authorize: (credential) => ({ 'api-key': credential }),
  signIn: {
    kind: 'entra',
    scope: 'https://cognitiveservices.azure.com/.default',
    // As Azure Identity's EnvironmentCredential reads them.
    env: {
      tenantId: 'AZURE_TENANT_ID',
      clientId: 'AZURE_CLIENT_ID',
      clientSecret: 'AZURE_CLIENT_SECRET',
    },
  },
  callersHeaders: ['openai-beta'],
  // "Azure OpenAI in Microsoft Foundry Models REST API (v1)" and its preview; "Data plane inference" and "authoring" of the dated versions.
  relays: {
    image: (request) => pathOf('/images/generations', request),
    image_edit: (request) => pathOf('/images/edits', request),
    speech: (request) => pathOf('/audio/speech', request),
    transcribe: (request) => pathOf('/audio/transcriptions', request),
    translate: (request) => pathOf('/audio/translations', request),
    file: (request) => pathOf(`/files${request.suffix}`, request, true),
    batch: (request) => pathOf(`/batches${request.suffix}`, request, true),
  },
  credential: 'required',
  quirks: {
    customTools: true,
    // Deprecated, and taken all the same ("Data plane inference").
    functions: true,
    allowedTools: true,
    // Chat completions have no field for it: "Reasoning models", summaries are had in the Responses API.
    hidesReasoning: true,
    // "Azure OpenAI reasoning models": `max_tokens` is not supported; see `openai.ts` for who says it.
    fields: { max_tokens: { as: 'max_completion_tokens', models: REASONING } },
  },
  // The same as at OpenAI, by the name of a model or a deployment.
  completions: {
    of: /^(ft:)?(gpt-3\.?5-turbo-instruct|davinci-002|babbage-002)/i,
    at: (request) => pathOf('/completions', request),
  },
} satisfies ProviderDeclaration;
