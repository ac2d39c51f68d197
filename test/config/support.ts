import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import azureOpenai from '../../providers/azure-openai.ts';
import bedrock from '../../providers/bedrock.ts';
import vertex from '../../providers/vertex.ts';
import type { KnownProvider } from '../../src/config/known-provider.ts';
import { parseConfig } from '../../src/config/load.ts';
import { ConfigError, type ConfigProblem } from '../../src/config/problem.ts';
import type { Config } from '../../src/config/resolve.ts';
import type { Environment } from '../../src/config/substitute.ts';

/** Provider declarations of each kind that the config tells apart. */
export const KNOWN_PROVIDERS: readonly KnownProvider[] = [
  {
    name: 'openai',
    envKeys: ['OPENAI_API_KEY'],
    baseUrl: 'https://api.openai.com/v1',
    envBaseUrl: 'OPENAI_BASE_URL',
  },
  { name: 'gemini', envKeys: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'], baseUrl: 'https://gemini.example' },
  { name: 'anthropic', envKeys: ['ANTHROPIC_API_KEY'], baseUrl: 'https://api.anthropic.com' },
  { name: 'openai-compatible', envKeys: [], credential: 'optional' },
  { name: 'echo', envKeys: [], credential: 'none', inProcess: 'echo' },
];

/** Clouds: the real declarations. */
export const CLOUD_PROVIDERS: readonly KnownProvider[] = [azureOpenai, bedrock, vertex];

/** The environment that the fixtures need. */
export const FIXTURE_ENV: Environment = {
  OPENAI_API_KEY: 'openai-key',
  ANTHROPIC_EU: 'anthropic-eu-key',
  ANTHROPIC_US: 'anthropic-us-key',
  ACME_APP_KEY: 'sk-fl-acme-app',
  GATEWAY_PORT: '8443',
  EU_KEY: 'eu-key',
  ACME_KEY: 'sk-fl-acme',
};

export function parse(text: string, env: Environment = {}, knownProviders = KNOWN_PROVIDERS): Config {
  return parseConfig(text, 'test.yaml', { env, knownProviders });
}

/** What is wrong with a config; empty where nothing is. */
export function problemsOf(
  text: string,
  env: Environment = {},
  knownProviders = KNOWN_PROVIDERS,
): readonly ConfigProblem[] {
  try {
    parse(text, env, knownProviders);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** `design.yaml.txt` is no `.yaml` because linters refuse its `state: memory:`, which we take. */
export function readFixture(name: string): string {
  return readFileSync(fixturePath(name), 'utf8');
}

export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
}

/** The part of a value that tests compare: mappings of the config have no prototype, which JSON does not see. */
export function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
