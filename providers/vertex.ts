import type { PathRequest, ProviderDeclaration } from '../src/upstream/provider.ts';

function modelPath(version: string, publisher: string, { model, settings }: PathRequest): string {
  const { project = '', location = '' } = settings;
  const place = `projects/${encodeURIComponent(project)}/locations/${location}`;
  return `/${version}/${place}/publishers/${publisher}/models/${model}`;
}

/** Source: the addresses of `@google/genai` and `@anthropic-ai/vertex-sdk`. */
function baseUrlAt({ location }: PathRequest['settings']): string {
  if (location === undefined || location === 'global') return 'https://aiplatform.googleapis.com';
  if (location === 'us' || location === 'eu') return `https://aiplatform.${location}.rep.googleapis.com`;
  return `https://${location}-aiplatform.googleapis.com`;
}

/** How a model is asked for embeddings, as `@google/genai` decides it. */
function embedsContents(model: string): boolean {
  return (model.includes('gemini') && model !== 'gemini-embedding-001') || model.includes('maas');
}

const SEARCHED_TOOLS = 'tool-search-tool-2025-10-19';

const BEFORE_4_6 = /^claude-(?:[1-3]|(?:opus|sonnet|haiku)-4(?:-[0-5])?(?:@|-\d{8}|$))/;

export default {
  name: 'vertex',
  title: 'Google Vertex AI',
  dialect: 'gemini',
  publisher: 'google',
  names: 'vendor',
  paths: {
    generate: (request) =>
      modelPath('v1beta1', 'google', request) +
      (request.stream ? ':streamGenerateContent?alt=sse' : ':generateContent'),
    embed: (request) =>
      modelPath('v1beta1', 'google', request) +
      (embedsContents(request.model) ? ':embedContent' : ':predict'),
    count: (request) => `${modelPath('v1beta1', 'google', request)}:countTokens`,
  },
  counts: 'vertex',
  countsInPart: true,
  embeddings: (model) => (embedsContents(model) ? 'vertex_content' : 'vertex_predict'),
  alsoSpeaks: [
    {
      // Source: Anthropic's documentation, "Claude on Vertex AI": the model stands in the URL, the version in the body.
      models: (model) => model.startsWith('claude-'),
      dialect: 'messages',
      paths: {
        generate: (request) =>
          modelPath('v1', 'anthropic', request) + (request.stream ? ':streamRawPredict' : ':rawPredict'),
        // Google Cloud, "Count tokens for Claude models": here the model stands in the body.
        count: (request) =>
          `${modelPath('v1', 'anthropic', { ...request, model: 'count-tokens' })}:rawPredict`,
      },
      // Not everywhere, that is.
      countsInPart: true,
      countBody: { anthropic_version: 'vertex-2023-10-16' },
      body: { model: undefined, anthropic_version: 'vertex-2023-10-16' },
      // Named by vendors: `context-1m` (Claude Code, "Google Vertex AI") and `web-search` (Google Cloud, "Web search with Anthropic
      // Claude models"). No page of a vendor lists the rest: they are what BerriAI/litellm forwards to Vertex, and the names that it gives
      // them. Refused, by reports: `effort`, `adaptive-thinking` (anthropics/claude-code#34802), `structured-outputs` (vercel/ai#10981),
      // `prompt-caching-scope` (anthropics/claude-code#21625).
      betas: [
        'compact-2026-01-12',
        'compact-2026-09-04',
        'computer-use-2025-01-24',
        'computer-use-2025-11-24',
        'context-1m-2025-08-07',
        'context-management-2025-06-27',
        'dangerous-tool-use-2026-09-03',
        'interleaved-thinking-2025-05-14',
        'per-turn-control-2026-07-01',
        'thinking-binding-controls-2026-08-01',
        'thinking-display-updates-2026-08-18',
        SEARCHED_TOOLS,
        'web-search-2025-03-05',
      ],
      betaNames: { 'advanced-tool-use-2025-11-20': SEARCHED_TOOLS },
      searchedToolsBeta: SEARCHED_TOOLS,
      // What the flags that are refused would turn on, and the effort of models that take it by such a flag alone: "output_config: Extra
      // inputs are not permitted" (BerriAI/litellm#18241, anthropics/claude-code#37746); from Claude 4.6 on they take it without.
      lacksFields: [
        { path: 'output_config.effort', models: (model) => BEFORE_4_6.test(model) },
        { path: 'cache_control.scope' },
        { path: 'speed' },
      ],
    },
  ],
  baseUrlAt,
  envKeys: [],
  settings: {
    project: { env: ['GOOGLE_CLOUD_PROJECT', 'ANTHROPIC_VERTEX_PROJECT_ID'], required: true },
    location: { env: ['GOOGLE_CLOUD_LOCATION', 'CLOUD_ML_REGION'], default: 'global' },
  },
  // An access token that was got elsewhere.
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  signIn: {
    kind: 'google',
    scope: 'https://www.googleapis.com/auth/cloud-platform',
    env: { file: 'GOOGLE_APPLICATION_CREDENTIALS' },
    ambient: true,
  },
  credential: 'required',
} satisfies ProviderDeclaration;
