import { startFakeAnthropic } from '../../support/fake-anthropic.ts';
import { startFakeAzureModels } from '../../support/fake-azure-models.ts';
import { startFakeBedrock } from '../../support/fake-bedrock.ts';
import { startFakeGemini } from '../../support/fake-gemini.ts';
import { startFakeOpenAi } from '../../support/fake-openai.ts';
import type { FakeProvider } from '../../support/fake-provider.ts';
import { startFakeVertexModels } from '../../support/fake-vertex-models.ts';
import type { KinName } from '../../support/openai/kin.ts';

/** A kind of provider, with the models that stand for it. */
export interface ProviderKind {
  /** Its row in the matrix, and its name in the config. */
  name: string;
  /** The declaration that it is made from. */
  adapter: string;
  model: string;
  /** Which of the provider's models it stands for, where not all are asked alike. */
  models?: string;
  /** A model that thinks and shows it, where that is another one. */
  thinker?: string;
  start(): Promise<FakeProvider>;
  /** Much like another one of the list, as are the many servers of OpenAI's kin: a sample asks it through one door. */
  isAlike?: boolean;
  /** What the config says beside its address and its credential. */
  settings?: object;
}

const kin = (name: KinName, model: string): ProviderKind => ({
  name,
  adapter: name,
  model,
  isAlike: true,
  start: () => startFakeOpenAi({ kin: name, models: [model] }),
});

const vertex = (name: string, models: string, model: string): ProviderKind => ({
  name,
  adapter: 'vertex',
  models,
  model,
  start: startFakeVertexModels,
  settings: { project: 'my-project', location: 'europe-west4' },
});

/** Models that Chat Completions knows by name and refuses. */
const responsesOnly = (adapter: string, model: string, start: () => Promise<FakeProvider>): ProviderKind => ({
  name: `${adapter}-responses`,
  adapter,
  models: 'models of the Responses API alone',
  model,
  isAlike: true,
  start,
});

const own = (name: string, model: string, start: () => Promise<FakeProvider>): ProviderKind => ({
  name,
  adapter: name,
  model,
  start,
});

export const PROVIDER_KINDS: readonly ProviderKind[] = [
  { ...own('openai', 'gpt-4.1', startFakeOpenAi), thinker: 'gpt-5-mini' },
  responsesOnly('openai', 'gpt-5-codex', startFakeOpenAi),
  own('anthropic', 'claude-sonnet-4-5', startFakeAnthropic),
  own('gemini', 'gemini-2.5-flash', startFakeGemini),
  {
    ...own('openai-compatible', 'gpt-4.1', () => startFakeOpenAi({ compatible: true })),
    thinker: 'gpt-5-mini',
  },
  { ...own('azure-openai', 'gpt-4.1', startFakeAzureModels), thinker: 'gpt-5-mini' },
  responsesOnly('azure-openai', 'gpt-5-codex', startFakeAzureModels),
  {
    ...own('bedrock', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', startFakeBedrock),
    settings: { region: 'us-east-1' },
  },
  vertex('vertex-gemini', 'Gemini', 'gemini-2.5-flash'),
  vertex('vertex-anthropic', 'Claude', 'claude-sonnet-4-5@20250929'),
  kin('mistral', 'mistral-medium-latest'),
  kin('cohere', 'command-a-03-2025'),
  kin('groq', 'openai/gpt-oss-20b'),
  kin('deepseek', 'deepseek-v4-flash'),
  kin('xai', 'grok-4'),
  kin('openrouter', 'google/gemini-3-pro-preview'),
  kin('together', 'Qwen/Qwen3-235B-A22B'),
  kin('fireworks', 'accounts/fireworks/models/qwen3-8b'),
  kin('perplexity', 'sonar-reasoning-pro'),
  kin('cerebras', 'zai-glm-4.6'),
  kin('nvidia', 'nvidia/nemotron-nano'),
  kin('huggingface', 'Qwen/Qwen3-8B'),
  kin('moonshot', 'kimi-k2.6'),
  kin('zai', 'glm-5.2'),
  kin('alibaba', 'qwen3-max'),
  kin('ollama', 'qwen3'),
  kin('vllm', 'Qwen/Qwen3-8B'),
  kin('lmstudio', 'qwen3-8b'),
];
