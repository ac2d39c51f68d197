import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import anthropic from '../../providers/anthropic.ts';
import echo from '../../providers/echo.ts';
import gemini from '../../providers/gemini.ts';
import openai from '../../providers/openai.ts';
import openaiCompatible from '../../providers/openai-compatible.ts';
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
    const { protocol, pathname, search } = new URL(baseUrl);
    assert.equal(protocol, 'https:');
    assert.equal(search, '');
    if (dialect === 'chat') assert.doesNotMatch(pathname, /\/$/);
    else assert.equal(pathname, '/');
  });
}

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
