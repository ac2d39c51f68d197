import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chooseConfigFile } from '../../src/config/environment.ts';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { KNOWN_PROVIDERS, parse, plain, problemsOf } from './support.ts';

test('the config file: --config, then FAIRLEAD_CONFIG, then ./fairlead.yaml where there is one, else none', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'fairlead-config-'));
  t.after(() => rm(cwd, { recursive: true }));
  assert.equal(chooseConfigFile(undefined, {}, cwd), null);
  await writeFile(join(cwd, 'fairlead.yaml'), 'logging: { level: warn }\n');
  assert.equal(chooseConfigFile(undefined, {}, cwd), 'fairlead.yaml');
  assert.equal(chooseConfigFile(undefined, { FAIRLEAD_CONFIG: '' }, cwd), 'fairlead.yaml');
  assert.equal(chooseConfigFile(undefined, { FAIRLEAD_CONFIG: 'b.yaml' }, cwd), 'b.yaml');
  assert.equal(chooseConfigFile('a.yaml', { FAIRLEAD_CONFIG: 'b.yaml' }, cwd), 'a.yaml');
  const config = await loadConfig({ env: {}, cwd, knownProviders: KNOWN_PROVIDERS });
  assert.equal(config.file, 'fairlead.yaml');
  assert.equal(config.logging.level, 'warn');
});

test('a file that was named and is not there is a clear error', async () => {
  const options = { configFile: 'nowhere.yaml', env: {}, cwd: tmpdir(), knownProviders: KNOWN_PROVIDERS };
  await assert.rejects(loadConfig(options), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.message, 'nowhere.yaml: there is no such file');
    return true;
  });
});

test('a directory instead of a file is a clear error', async () => {
  const options = { configFile: '.', env: {}, cwd: tmpdir(), knownProviders: KNOWN_PROVIDERS };
  await assert.rejects(loadConfig(options), { message: '.: this is a directory, not a file' });
});

test('without a file the providers are those with a key in the environment, and echo', () => {
  const config = parse('', { GOOGLE_API_KEY: 'google-key', ANTHROPIC_API_KEY: '' });
  assert.deepEqual(Object.keys(config.providers).sort(), ['echo', 'gemini']);
  const { gemini } = config.providers;
  assert.equal(gemini?.origin, 'environment');
  assert.equal(gemini?.baseUrl, 'https://gemini.example');
  assert.deepEqual(plain(gemini?.accounts), [{ name: 'environment', apiKey: 'google-key' }]);
  assert.deepEqual(config.providers['echo']?.accounts, []);
});

test('the first variable that is set holds the key', () => {
  const { gemini } = parse('', { GEMINI_API_KEY: 'first', GOOGLE_API_KEY: 'second' }).providers;
  assert.equal(gemini?.accounts[0]?.apiKey, 'first');
});

test("a declared provider without accounts takes the environment's key, one with accounts does not", () => {
  const env = { OPENAI_API_KEY: 'from-env' };
  assert.equal(parse('providers: { openai: {} }', env).providers['openai']?.accounts[0]?.apiKey, 'from-env');
  const text = 'providers: { openai: { accounts: [{ name: main, apiKey: written }] } }';
  assert.deepEqual(plain(parse(text, env).providers['openai']?.accounts), [
    { name: 'main', apiKey: 'written' },
  ]);
});

test('the base URL: the file, then the variable of the vendor, then the built-in one', () => {
  const env = { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'http://env/v1' };
  assert.equal(parse('', { OPENAI_API_KEY: 'k' }).providers['openai']?.baseUrl, 'https://api.openai.com/v1');
  assert.equal(parse('', env).providers['openai']?.baseUrl, 'http://env/v1');
  const text = 'providers: { openai: { baseUrl: "http://file/v1" } }';
  assert.equal(parse(text, env).providers['openai']?.baseUrl, 'http://file/v1');
});

test("another provider of the same kind gets neither the environment's key nor its address", () => {
  const env = { OPENAI_API_KEY: 'secret-of-openai', OPENAI_BASE_URL: 'http://env/v1' };
  const { other } = parse(
    'providers: { other: { adapter: openai, baseUrl: "http://other/v1" } }',
    env,
  ).providers;
  assert.deepEqual(other?.accounts, []);
  assert.equal(other?.baseUrl, 'http://other/v1');
});

test('PORT and HOST go before the file, which goes before the defaults', () => {
  const text = 'server: { host: 10.0.0.1, port: 9000 }';
  const addressOf = ({ server }: ReturnType<typeof parse>) => `${server.host}:${server.port}`;
  assert.equal(addressOf(parse('')), '127.0.0.1:8080');
  assert.equal(addressOf(parse(text)), '10.0.0.1:9000');
  assert.equal(addressOf(parse(text, { PORT: '0', HOST: '::' })), ':::0');
});

test('FAIRLEAD_DATA is where the default store is', () => {
  assert.deepEqual(plain(parse('').store), { kind: 'sqlite', path: 'data/fairlead.db' });
  const config = parse('', { FAIRLEAD_DATA: '/var/lib/fairlead' });
  assert.equal(config.dataDirectory, '/var/lib/fairlead');
  assert.deepEqual(plain(config.store), { kind: 'sqlite', path: '/var/lib/fairlead/fairlead.db' });
});

const BAD_VARIABLES: [Record<string, string>, string][] = [
  [{ PORT: 'eighty' }, 'environment: PORT: expected a port from 0 to 65535'],
  [{ PORT: '70000' }, 'environment: PORT: expected a port from 0 to 65535'],
  [
    { FAIRLEAD_ADMIN_KEY: 'short' },
    'environment: FAIRLEAD_ADMIN_KEY: expected a secret of at least 8 printable characters without spaces',
  ],
  [
    { OPENAI_API_KEY: 'with newline\n' },
    'environment: OPENAI_API_KEY: expected a credential of printable ASCII characters without spaces around it',
  ],
  [
    { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'nowhere' },
    'environment: OPENAI_BASE_URL: expected an http:// or https:// URL without credentials, "?" or "#"',
  ],
];

for (const [env, expected] of BAD_VARIABLES) {
  test(`${JSON.stringify(env)}: ${expected}`, () => {
    const problems = problemsOf('', env).map(({ file, path, message }) => `${file}: ${path}: ${message}`);
    assert.deepEqual(problems, [expected]);
  });
}
