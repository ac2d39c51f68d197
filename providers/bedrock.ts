import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * Flags that it does not know fail the whole request ("invalid beta flag"). Named by vendors: computer use (Bedrock user guide) and
 * `context-1m`, `interleaved-thinking` (Claude Code, "Amazon Bedrock"), the latter for Claude 4 alone (Anthropic, "Extended thinking"). No page
 * of a vendor lists the rest for Converse: they are what BerriAI/litellm forwards to it, and the user guide names for InvokeModel
 * (`context-management`: "Automatic tool call clearing" and the memory tool, of Claude 4).
 */
const BETAS = [
  'computer-use-2024-10-22',
  'computer-use-2025-01-24',
  'computer-use-2025-11-24',
  'context-1m-2025-08-07',
  'effort-2025-11-24',
  'fine-grained-tool-streaming-2025-05-14',
  'output-128k-2025-02-19',
  'token-efficient-tools-2025-02-19',
];

function betasOf(model: string): readonly string[] | undefined {
  if (!model.includes('claude')) return undefined;
  const isClaude4 = /claude-(?:opus|sonnet|haiku)-4/.test(model);
  return isClaude4 ? [...BETAS, 'context-management-2025-06-27', 'interleaved-thinking-2025-05-14'] : BETAS;
}

/**
 * Claude alone is counted, and by the name of its foundation model: inference profiles have no counts. Source: Bedrock user guide, "Monitor your
 * token usage by counting tokens before running inference"; alchemy.run, "CountTokens" (what is refused).
 */
function countPath(model: string): string | undefined {
  const [, foundation] = /^(?:[a-z]+(?:-[a-z]+)?\.)?(anthropic\.claude-.+)$/.exec(model) ?? [];
  return foundation === undefined ? undefined : `/model/${foundation}/count-tokens`;
}

/** Of profiles that are answered in any region of a part of the world, which their names begin with. */
const GEOGRAPHY = /^(global|apac|us-gov|[a-z]{2})\./;

/** What is served where it lives. Application profiles, prompts and their routers lead to what their names do not say. */
const LIVES_THERE =
  /^(?:foundation-model|provisioned-model|custom-model|custom-model-deployment|imported-model|endpoint)\//;

/**
 * Source: Bedrock user guide, "Supported Regions and models for inference profiles" and "How inference works in Amazon Bedrock"; service
 * authorization reference, "Resource types defined by Amazon Bedrock".
 */
function regionOf(model: string, called: string | undefined): string | undefined {
  if (!model.startsWith('arn:')) return GEOGRAPHY.exec(model)?.[1] ?? called;
  const [, , , region, , ...resource] = model.split(':');
  const name = resource.join(':');
  if (name.startsWith('inference-profile/')) return GEOGRAPHY.exec(name.slice(name.indexOf('/') + 1))?.[1];
  return LIVES_THERE.test(name) ? region : undefined;
}

/** Source: Amazon Bedrock API reference, "Converse", "ConverseStream", "CountTokens" and "InvokeModel". Model ids, inference profiles and ARNs are models. */
export default {
  name: 'bedrock',
  title: 'Amazon Bedrock',
  dialect: 'converse',
  names: 'vendor',
  paths: {
    generate: ({ model, stream }) => `/model/${model}/${stream ? 'converse-stream' : 'converse'}`,
    embed: ({ model }) => `/model/${model}/invoke`,
    count: ({ model }) => countPath(model),
  },
  betasInBody: betasOf,
  countsInPart: true,
  regionOf,
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
