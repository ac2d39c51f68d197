import assert from 'node:assert/strict';
import { test } from 'node:test';
import bedrock from '../../providers/bedrock.ts';
import gemini from '../../providers/gemini.ts';
import openai from '../../providers/openai.ts';
import vertex from '../../providers/vertex.ts';
import { findEndpoint } from '../../src/upstream/endpoint.ts';
import type { ProviderDeclaration } from '../../src/upstream/provider.ts';
import { buildUpstream, type Upstream } from '../../src/upstream/upstream.ts';
import { NO_SIGN_IN } from '../support/sign-in.ts';

const timeouts = { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 };

function upstreamOf(declaration: ProviderDeclaration, baseUrl: string): Upstream {
  return buildUpstream({ name: 'up', declaration, baseUrl, accounts: [], timeouts }, NO_SIGN_IN);
}

function pathOf(upstream: Upstream, model: string, stream = false): string | undefined {
  const request = { operation: 'generate', model, stream, dialect: 'chat' } as const;
  return findEndpoint(upstream, upstream.accounts[0], request)?.path;
}

test('paths stand below the base URL as the vendor SDKs put them', () => {
  const compatible = upstreamOf(openai, 'https://example.test/proxy/v1/');
  assert.equal(pathOf(compatible, 'm'), '/proxy/v1/chat/completions');
  const google = upstreamOf(gemini, 'https://example.test');
  assert.equal(pathOf(google, 'gemini-x'), '/v1beta/models/gemini-x:generateContent');
  assert.equal(
    pathOf(google, 'tunedModels/mine', true),
    '/v1beta/tunedModels/mine:streamGenerateContent?alt=sse',
  );
  assert.equal(pathOf(google, 'a?b#c'), '/v1beta/models/a%3Fb%23c:generateContent');
});

test('a model name cannot lead to another path than the one that was permitted', () => {
  const google = upstreamOf(gemini, 'https://example.test');
  for (const name of ['gemini-x/../models/gemini-y', '../x', 'a//b', './x', 'x/..']) {
    assert.throws(() => pathOf(google, name), /is not the name of a model/, name);
  }
  const cloud = upstreamOf(vertex, 'https://example.test');
  for (const name of ['', '.', '..']) {
    assert.throws(() => pathOf(cloud, name), /is not the name of a model/, name);
  }
  assert.match(pathOf(cloud, 'a/../b?c') ?? '', /\/models\/a%2F\.\.%2Fb%3Fc:generateContent$/);
});

test("an account's credential and what it belongs to are headers, never the address", () => {
  const accounts = [{ name: 'main', apiKey: 'sk-secret', organization: 'org-1', headers: { 'x-own': '1' } }];
  const baseUrl = 'https://example.test/v1';
  const built = buildUpstream({ name: 'up', declaration: openai, baseUrl, accounts, timeouts }, NO_SIGN_IN);
  const [account] = built.accounts;
  assert.deepEqual(account.headers, [
    'content-type',
    'application/json',
    'authorization',
    'Bearer sk-secret',
    'openai-organization',
    'org-1',
    'x-own',
    '1',
  ]);
  assert.equal(account.signer, undefined);
  assert.deepEqual(account.secrets(), ['sk-secret']);
});

test('a header is sent once, however its name is written: the account goes before the key, the key before the provider', () => {
  const built = buildUpstream(
    {
      name: 'up',
      declaration: openai,
      baseUrl: 'https://example.test/v1',
      headers: { Authorization: 'Bearer of-the-provider', 'X-Own': 'provider', 'x-oWN': 'provider too' },
      accounts: [
        { name: 'main', apiKey: 'sk-secret' },
        {
          name: 'other',
          apiKey: 'sk-secret',
          headers: {
            AUTHORIZATION: 'Custom of-the-account',
            'Content-Type': 'application/json; charset=utf-8',
          },
        },
      ],
      timeouts,
    },
    NO_SIGN_IN,
  );
  assert.deepEqual(
    built.accounts.map(({ headers }) => headers),
    [
      ['content-type', 'application/json', 'authorization', 'Bearer sk-secret', 'x-own', 'provider too'],
      [
        'content-type',
        'application/json; charset=utf-8',
        'authorization',
        'Custom of-the-account',
        'x-own',
        'provider too',
      ],
    ],
  );
});

test('where requests are signed, a header of the same name that was configured goes out for no one', async () => {
  const aws = { accessKeyId: 'AKID', secretAccessKey: 'aws-secret-key' };
  const headers = { Authorization: 'Bearer of-the-config', 'x-amz-date': 'yesterday', 'x-own': '1' };
  const built = buildUpstream(
    {
      name: 'up',
      declaration: bedrock,
      accounts: [{ name: 'a', region: 'us-east-1', aws, headers }],
      timeouts,
    },
    NO_SIGN_IN,
  );
  const [account] = built.accounts;
  const request = { method: 'POST', origin: account.origin, path: '/x', body: Buffer.from('{}') } as const;
  const sent = [...account.headers, ...((await account.signer?.sign(request)) ?? [])];
  const names = sent.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  assert.deepEqual(
    names.filter((name, at) => names.indexOf(name) !== at),
    [],
  );
  assert.match(sent[sent.indexOf('authorization') + 1] ?? '', /^AWS4-HMAC-SHA256/);
  assert.ok(sent.includes('x-own'));
});
