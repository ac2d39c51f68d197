import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import anthropic from '../../providers/anthropic.ts';
import echo from '../../providers/echo.ts';
import gemini from '../../providers/gemini.ts';
import openai from '../../providers/openai.ts';
import openaiCompatible from '../../providers/openai-compatible.ts';
import { parseConfig } from '../../src/config/load.ts';
import { QuirkedChat } from '../../src/dialects/chat/quirked-chat.ts';
import type { ProviderDeclaration } from '../../src/upstream/provider.ts';

const FOLDER = new URL('../../providers/', import.meta.url);
const FILES = readdirSync(FOLDER);
const SECRET = 'secret-credential';

async function load(file: string): Promise<ProviderDeclaration> {
  const module = (await import(new URL(file, FOLDER).href)) as { default: ProviderDeclaration };
  return module.default;
}

for (const file of FILES) {
  test(`providers/${file} declares the provider of its name`, async () => {
    const { name, title } = await load(file);
    assert.equal(`${name}.ts`, file);
    assert.notEqual(title, '');
  });

  test(`providers/${file} puts the credential into a header, or has none`, async () => {
    const { authorize, credential } = await load(file);
    const headers = Object.entries(authorize(SECRET));
    assert.equal(headers.filter(([, value]) => value.includes(SECRET)).length, credential === 'none' ? 0 : 1);
    for (const [name] of headers) assert.equal(name, name.toLowerCase());
  });

  test(`providers/${file} has a base URL as the vendor's SDK takes it, or none`, async () => {
    const { baseUrl, dialect } = await load(file);
    if (baseUrl === undefined) return;
    const { protocol, pathname, search, hostname } = new URL(baseUrl);
    assert.equal(protocol, hostname === '127.0.0.1' ? 'http:' : 'https:');
    assert.equal(search, '');
    if (dialect === 'chat') assert.doesNotMatch(pathname, /.\/$/);
    else assert.equal(pathname, '/');
  });
}

for (const file of FILES) {
  test(`providers/${file} needs a key unless it is on this machine, and then it is there only when configured`, async () => {
    const { name, baseUrl = '', envKeys, credential, models, signIn } = await load(file);
    if (name === 'echo' || name === 'openai-compatible') return;
    // The clouds: `test/providers/clouds.test.ts`.
    if (signIn) return;
    const isLocal = new URL(baseUrl).hostname === '127.0.0.1';
    assert.equal(credential, isLocal ? 'optional' : 'required');
    assert.equal(envKeys.length === 0, isLocal);
    for (const key of envKeys) assert.match(key, /^[A-Z][A-Z0-9_]*_(API_KEY|TOKEN)$/);
    assert.equal(models, undefined);
  });

  test(`providers/${file} states its quirks as rules that compile, of the chat dialect only`, async () => {
    const { dialect, quirks } = await load(file);
    if (!quirks) return;
    assert.equal(dialect, 'chat');
    const { dialect: compiled } = new QuirkedChat(quirks);
    assert.equal(compiled.name, 'chat');
    // A rule for a field that OpenAI does not have would never be met, but for those of other servers' clients.
    const known = new Set([...OPENAI_FIELDS, 'top_k', 'reasoning', 'thinking']);
    for (const field of Object.keys(quirks.fields ?? {})) assert.ok(known.has(field), field);
  });
}

/** OpenAI API reference, create chat completion. */
const OPENAI_FIELDS = [
  ...[
    'audio',
    'frequency_penalty',
    'function_call',
    'functions',
    'logit_bias',
    'logprobs',
    'max_completion_tokens',
  ],
  ...['max_tokens', 'metadata', 'modalities', 'n', 'parallel_tool_calls', 'prediction', 'presence_penalty'],
  ...['prompt_cache_key', 'reasoning_effort', 'response_format', 'safety_identifier', 'seed', 'service_tier'],
  ...[
    'stop',
    'store',
    'stream_options',
    'temperature',
    'tool_choice',
    'tools',
    'top_logprobs',
    'top_p',
    'user',
  ],
  ...['verbosity', 'web_search_options'],
];

/** Where each provider is, and the variable of its own documentation. */
const WHERE: Record<string, [baseUrl: string, envKeys: string[]]> = {
  mistral: ['https://api.mistral.ai/v1', ['MISTRAL_API_KEY']],
  cohere: ['https://api.cohere.ai/compatibility/v1', ['CO_API_KEY', 'COHERE_API_KEY']],
  groq: ['https://api.groq.com/openai/v1', ['GROQ_API_KEY']],
  deepseek: ['https://api.deepseek.com/v1', ['DEEPSEEK_API_KEY']],
  xai: ['https://api.x.ai/v1', ['XAI_API_KEY']],
  openrouter: ['https://openrouter.ai/api/v1', ['OPENROUTER_API_KEY']],
  together: ['https://api.together.xyz/v1', ['TOGETHER_API_KEY']],
  fireworks: ['https://api.fireworks.ai/inference/v1', ['FIREWORKS_API_KEY']],
  perplexity: ['https://api.perplexity.ai', ['PERPLEXITY_API_KEY']],
  cerebras: ['https://api.cerebras.ai/v1', ['CEREBRAS_API_KEY']],
  nvidia: ['https://integrate.api.nvidia.com/v1', ['NVIDIA_API_KEY']],
  huggingface: ['https://router.huggingface.co/v1', ['HF_TOKEN']],
  moonshot: ['https://api.moonshot.ai/v1', ['MOONSHOT_API_KEY']],
  zai: ['https://api.z.ai/api/paas/v4', ['ZAI_API_KEY']],
  alibaba: ['https://dashscope-intl.aliyuncs.com/compatible-mode/v1', ['DASHSCOPE_API_KEY']],
  ollama: ['http://127.0.0.1:11434/v1', []],
  vllm: ['http://127.0.0.1:8000/v1', []],
  lmstudio: ['http://127.0.0.1:1234/v1', []],
};

for (const [name, where] of Object.entries(WHERE)) {
  test(`${name} is where its vendor says, by a bearer token`, async () => {
    const { baseUrl, envKeys, authorize, dialect } = await load(`${name}.ts`);
    assert.deepEqual([baseUrl, envKeys], where);
    assert.deepEqual(authorize(SECRET), { authorization: `Bearer ${SECRET}` });
    assert.equal(dialect, 'chat');
  });
}

test('a server on this machine is not there by itself, and is with one line, needing no key', async () => {
  const knownProviders = await Promise.all(FILES.map(load));
  const names = (text: string) =>
    Object.keys(parseConfig(text, 'test.yaml', { env: {}, knownProviders }).providers);
  assert.deepEqual(names(''), ['echo']);
  const text = 'providers: { ollama: {}, vllm: {}, lmstudio: { baseUrl: "http://10.0.0.7:1234/v1" } }';
  assert.deepEqual(names(text).sort(), ['echo', 'lmstudio', 'ollama', 'vllm']);
  const { providers } = parseConfig(text, 'test.yaml', { env: {}, knownProviders });
  assert.equal(providers['ollama']?.baseUrl, 'http://127.0.0.1:11434/v1');
  assert.equal(providers['lmstudio']?.baseUrl, 'http://10.0.0.7:1234/v1');
  assert.deepEqual(providers['ollama']?.accounts, []);
});

test('the README names every provider, and the variables of its key', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const rows = readme.split('\n').filter((line) => line.startsWith('| `'));
  for (const { name, envKeys } of await Promise.all(FILES.map(load))) {
    const row = rows.find((line) => line.split('|')[1]?.includes(`\`${name}\``));
    assert.ok(row, `${name} has no row`);
    for (const key of envKeys) assert.ok(row.includes(`\`${key}\``), `${name}: ${key}`);
  }
});

test('no two providers share a name, or a variable that makes them exist', async () => {
  const declarations = await Promise.all(FILES.map(load));
  for (const list of [declarations.map(({ name }) => name), declarations.flatMap(({ envKeys }) => envKeys)]) {
    assert.deepEqual(list, [...new Set(list)]);
  }
});

test('OpenAI and its kin take a bearer token', () => {
  for (const { authorize } of [openai, openaiCompatible]) {
    assert.deepEqual(authorize(SECRET), { authorization: `Bearer ${SECRET}` });
  }
  assert.equal(openai.baseUrl, 'https://api.openai.com/v1');
  assert.deepEqual([openai.envKeys, openai.envBaseUrl], [['OPENAI_API_KEY'], 'OPENAI_BASE_URL']);
});

test('an OpenAI-compatible server has its address in the config, and may need no key', () => {
  assert.ok(!('baseUrl' in openaiCompatible));
  assert.equal(openaiCompatible.credential, 'optional');
  assert.deepEqual(openaiCompatible.envKeys, []);
});

test('Anthropic takes x-api-key and the version whose parameters we write', () => {
  assert.deepEqual(anthropic.authorize(SECRET), { 'x-api-key': SECRET });
  assert.deepEqual(anthropic.headers, { 'anthropic-version': '2023-06-01' });
  assert.deepEqual([anthropic.envKeys, anthropic.envBaseUrl], [['ANTHROPIC_API_KEY'], 'ANTHROPIC_BASE_URL']);
});

test('Gemini takes its key in a header, from either variable', () => {
  assert.deepEqual(gemini.authorize(SECRET), { 'x-goog-api-key': SECRET });
  assert.deepEqual(gemini.envKeys, ['GEMINI_API_KEY', 'GOOGLE_API_KEY']);
  assert.equal(gemini.envBaseUrl, 'GOOGLE_GEMINI_BASE_URL');
});

test('echo is in this process and needs nothing', () => {
  assert.equal(echo.inProcess, 'echo');
  assert.equal(echo.credential, 'none');
  assert.deepEqual(echo.models, ['echo']);
});
