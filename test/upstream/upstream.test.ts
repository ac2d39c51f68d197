import assert from 'node:assert/strict';
import { test } from 'node:test';
import gemini from '../../providers/gemini.ts';
import openai from '../../providers/openai.ts';
import { buildUpstream, operationPath } from '../../src/upstream/upstream.ts';

const timeouts = { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 };

function upstreamOf(declaration: Parameters<typeof buildUpstream>[0]['declaration'], baseUrl: string) {
  return buildUpstream({ name: 'up', declaration, baseUrl, accounts: [], timeouts });
}

test('paths stand below the base URL as the vendor SDKs put them', () => {
  const compatible = upstreamOf(openai, 'https://example.test/proxy/v1/');
  assert.equal(operationPath(compatible, 'generate', 'm', false), '/proxy/v1/chat/completions');
  const google = upstreamOf(gemini, 'https://example.test');
  assert.equal(
    operationPath(google, 'generate', 'gemini-x', false),
    '/v1beta/models/gemini-x:generateContent',
  );
  assert.equal(
    operationPath(google, 'generate', 'tunedModels/mine', true),
    '/v1beta/tunedModels/mine:streamGenerateContent?alt=sse',
  );
  assert.equal(operationPath(google, 'generate', 'a?b#c', false), '/v1beta/models/a%3Fb%23c:generateContent');
});

test('a model name cannot lead to another path than the one that was permitted', () => {
  const google = upstreamOf(gemini, 'https://example.test');
  for (const name of ['gemini-x/../models/gemini-y', '../x', 'a//b', './x', 'x/..']) {
    assert.throws(() => operationPath(google, 'generate', name, false), /is not the name of a model/, name);
  }
});

test("an account's credential and what it belongs to are headers, never the address", () => {
  const accounts = [{ name: 'main', apiKey: 'sk-secret', organization: 'org-1', headers: { 'x-own': '1' } }];
  const built = buildUpstream({
    name: 'up',
    declaration: openai,
    baseUrl: 'https://example.test/v1',
    accounts,
    timeouts,
  });
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
});
