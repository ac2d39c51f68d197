import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import azureOpenai from '../../providers/azure-openai.ts';
import bedrock from '../../providers/bedrock.ts';
import openai from '../../providers/openai.ts';
import vertex from '../../providers/vertex.ts';
import type { DialectName } from '../../src/conversation/conversation.ts';
import { modelTraits } from '../../src/dialects/chat/model-traits.ts';
import { findEndpoint, pathSegment } from '../../src/upstream/endpoint.ts';
import type { ProviderDeclaration, Settings } from '../../src/upstream/provider.ts';
import { type RelayedPlace, relayedRequest } from '../../src/upstream/relayed-paths.ts';
import { buildUpstream } from '../../src/upstream/upstream.ts';
import { NO_SIGN_IN } from '../support/sign-in.ts';
import { type Exchange, readExchanges, skipWithoutWire } from '../support/wire.ts';

const timeouts = { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 };

interface Asked {
  operation?: 'generate' | 'embed';
  model: string;
  stream?: boolean;
  dialect?: DialectName;
}

function endpointOf(declaration: ProviderDeclaration, settings: Settings, asked: Asked, baseUrl?: string) {
  const accounts = [{ name: 'a', apiKey: 'k' }];
  const upstream = buildUpstream(
    { name: 'up', declaration, settings, baseUrl, accounts, timeouts },
    NO_SIGN_IN,
  );
  const [account] = upstream.accounts;
  const request = { operation: 'generate', stream: false, dialect: 'chat', ...asked } as const;
  const endpoint = findEndpoint(upstream, account, request);
  return (
    endpoint && { url: account.origin + endpoint.path, dialect: endpoint.dialect.name, model: endpoint.model }
  );
}

const RESOURCE = 'https://r.openai.azure.com/';

const AZURE: [Settings, Asked, url: string][] = [
  [{}, { model: 'gpt-4.1' }, '/openai/v1/chat/completions'],
  [{}, { model: 'embed', operation: 'embed' }, '/openai/v1/embeddings'],
  [{ apiVersion: 'preview' }, { model: 'm' }, '/openai/v1/chat/completions?api-version=preview'],
  [
    { apiVersion: '2024-10-21' },
    { model: 'a b/c' },
    '/openai/deployments/a%20b%2Fc/chat/completions?api-version=2024-10-21',
  ],
  [
    { apiVersion: '2025-04-01-preview', deployments: { m: 'd' } },
    { model: 'm', operation: 'embed' },
    '/openai/deployments/d/embeddings?api-version=2025-04-01-preview',
  ],
];

for (const [settings, asked, path] of AZURE) {
  test(`Azure with ${JSON.stringify(settings)}: ${path}`, () => {
    const endpoint = endpointOf(azureOpenai, settings, asked, RESOURCE);
    const model = settings.deployments?.[asked.model] ?? asked.model;
    assert.deepEqual(endpoint, { url: `https://r.openai.azure.com${path}`, dialect: 'chat', model });
  });
}

/** What Azure has beside text, on its v1 surface and on the classic one. */
const AZURE_RELAYS: [place: RelayedPlace, model: string, v1: string, classic: string][] = [
  ['image', 'gpt-image-1', '/openai/v1/images/generations', '/openai/deployments/d%2F1/images/generations'],
  ['image_edit', 'gpt-image-1', '/openai/v1/images/edits', '/openai/deployments/d%2F1/images/edits'],
  ['speech', 'tts', '/openai/v1/audio/speech', '/openai/deployments/d%2F1/audio/speech'],
  [
    'transcribe',
    'whisper',
    '/openai/v1/audio/transcriptions',
    '/openai/deployments/d%2F1/audio/transcriptions',
  ],
  ['translate', 'whisper', '/openai/v1/audio/translations', '/openai/deployments/d%2F1/audio/translations'],
];

for (const [place, model, v1, classic] of AZURE_RELAYS) {
  test(`Azure has ${place} at ${v1} and at ${classic}, of the deployment of a model`, () => {
    const at = (settings: Settings) => {
      const accounts = [{ name: 'a', apiKey: 'k' }];
      const built = { name: 'up', declaration: azureOpenai, baseUrl: RESOURCE, accounts, timeouts };
      const upstream = buildUpstream({ ...built, settings }, NO_SIGN_IN);
      return relayedRequest(upstream, upstream.accounts[0], place, model);
    };
    const deployments = { [model]: 'd/1' };
    assert.deepEqual(at({}), { path: v1, model });
    assert.deepEqual(at({ deployments }), { path: v1, model: 'd/1' });
    assert.deepEqual(at({ apiVersion: 'preview' }), { path: `${v1}?api-version=preview`, model });
    assert.deepEqual(at({ apiVersion: '2025-04-01-preview', deployments }), {
      path: `${classic}?api-version=2025-04-01-preview`,
      model: 'd/1',
    });
  });
}

test('files and batches of Azure are the resource’s, whatever the version; what is asked of one stands before it', () => {
  const accounts = [{ name: 'a', apiKey: 'k' }];
  const paths = [{}, { apiVersion: '2024-10-21' }].flatMap((settings) => {
    const built = { name: 'up', declaration: azureOpenai, baseUrl: RESOURCE, accounts, timeouts };
    const upstream = buildUpstream({ ...built, settings }, NO_SIGN_IN);
    return [
      relayedRequest(upstream, upstream.accounts[0], 'file', 'files')?.path,
      relayedRequest(upstream, upstream.accounts[0], 'file', 'files', '/f1/content')?.path,
      relayedRequest(upstream, upstream.accounts[0], 'batch', 'batches', '/b1/cancel')?.path,
    ];
  });
  assert.deepEqual(paths, [
    '/openai/v1/files',
    '/openai/v1/files/f1/content',
    '/openai/v1/batches/b1/cancel',
    '/openai/files?api-version=2024-10-21',
    '/openai/files/f1/content?api-version=2024-10-21',
    '/openai/batches/b1/cancel?api-version=2024-10-21',
  ]);
});

const AZURE_RESPONSES: [apiVersion: string | undefined, spoken: string][] = [
  [undefined, 'responses'],
  ['preview', 'responses'],
  ['2025-03-01-preview', 'responses'],
  ['2025-04-01-preview', 'responses'],
  ['2025-02-01-preview', 'chat'],
  ['2024-10-21', 'chat'],
];

for (const [apiVersion, spoken] of AZURE_RESPONSES) {
  test(`Azure with ${apiVersion ?? 'no version'}: who speaks responses is answered in ${spoken}`, () => {
    const settings = apiVersion === undefined ? {} : { apiVersion };
    const asked = { dialect: 'responses', model: 'gpt-4.1' } as const;
    assert.equal(endpointOf(azureOpenai, settings, asked, RESOURCE)?.dialect, spoken);
    const alone = { ...asked, model: 'gpt-5-codex' };
    assert.equal(endpointOf(azureOpenai, settings, alone, RESOURCE)?.dialect, 'responses');
  });
}

function responsesPath(settings: Settings): string | undefined {
  const responses = azureOpenai.alsoSpeaks.find(({ dialect }) => dialect === 'responses');
  return responses?.paths.generate({ model: 'm', stream: false, settings });
}

const VERTEX_HOSTS: [location: string, host: string][] = [
  ['global', 'aiplatform.googleapis.com'],
  ['us', 'aiplatform.us.rep.googleapis.com'],
  ['eu', 'aiplatform.eu.rep.googleapis.com'],
  ['us-east5', 'us-east5-aiplatform.googleapis.com'],
];

for (const [location, host] of VERTEX_HOSTS) {
  test(`Vertex in ${location} is at ${host}, for both publishers`, () => {
    const place = `projects/p/locations/${location}/publishers`;
    const settings = { project: 'p', location };
    assert.deepEqual(endpointOf(vertex, settings, { model: 'gemini-x', stream: true }), {
      url: `https://${host}/v1beta1/${place}/google/models/gemini-x:streamGenerateContent?alt=sse`,
      dialect: 'gemini',
      model: 'gemini-x',
    });
    assert.deepEqual(endpointOf(vertex, settings, { model: 'claude-x@20250101', dialect: 'gemini' }), {
      url: `https://${host}/v1/${place}/anthropic/models/claude-x@20250101:rawPredict`,
      dialect: 'messages',
      model: 'claude-x@20250101',
    });
  });
}

test('embeddings of Vertex and Bedrock stand where each model has them', () => {
  const at = { project: 'p', location: 'global' };
  const urlOf = (declaration: typeof vertex | typeof bedrock, settings: object, model: string) =>
    endpointOf(declaration, settings, { model, operation: 'embed' })?.url.replace(/^.*\/models?\//, '');
  assert.equal(urlOf(vertex, at, 'text-embedding-005'), 'text-embedding-005:predict');
  assert.equal(urlOf(vertex, at, 'gemini-embedding-001'), 'gemini-embedding-001:predict');
  assert.equal(urlOf(vertex, at, 'gemini-embedding-2'), 'gemini-embedding-2:embedContent');
  assert.equal(urlOf(vertex, at, 'claude-sonnet-4-5'), undefined);
  const region = { region: 'us-east-1' };
  assert.equal(
    urlOf(bedrock, region, 'amazon.titan-embed-text-v2:0'),
    'amazon.titan-embed-text-v2%3A0/invoke',
  );
});

/** The names that a type of the openai package lists. */
function namesOf(type: 'ChatModel' | 'ResponsesModel'): string[] {
  const types = readFileSync(new URL('resources/shared.d.ts', import.meta.resolve('openai')), 'utf8');
  const [, listed = ''] = new RegExp(`export type ${type} = (.*);`).exec(types) ?? [];
  return [...listed.matchAll(/'([^']+)'/g)].map(([, name = '']) => name);
}

test('models that only the Responses API serves are asked there, whatever the caller speaks', () => {
  const inChat = namesOf('ChatModel');
  const only = namesOf('ResponsesModel');
  assert.ok(inChat.length > 50 && only.length > 15);
  const dialectOf = (declaration: ProviderDeclaration, model: string, deployments?: Record<string, string>) =>
    endpointOf(declaration, { deployments }, { model, dialect: 'messages' }, RESOURCE)?.dialect;
  for (const declaration of [openai, azureOpenai]) {
    for (const model of only) assert.equal(dialectOf(declaration, model), 'responses', model);
    // OpenAI's pages know better: "available in the Responses API only".
    const served = inChat.filter((model) => !/-pro\b|codex/.test(model));
    for (const model of [...served, 'ft:gpt-4o-mini:me:my-pro:1'])
      assert.equal(dialectOf(declaration, model), 'chat', model);
    for (const model of ['gpt-5.1-codex', 'gpt-5.3-codex', 'gpt-5.2-pro', 'codex-mini-latest'])
      assert.equal(dialectOf(declaration, model), 'responses', model);
  }
  // The name of a deployment tells nothing; what it is configured for does.
  assert.equal(dialectOf(azureOpenai, 'gpt-5-pro', { 'gpt-5-pro': 'mine' }), 'responses');
});

test('no model that OpenAI serves is taken for one of its kin', () => {
  const names = [...namesOf('ChatModel'), ...namesOf('ResponsesModel')];
  assert.ok(names.length > 65);
  assert.deepEqual(
    names.filter((model) => modelTraits(model).openParameters),
    [],
  );
});

test('the Responses API is a second dialect of OpenAI and of Azure, at its own path', () => {
  assert.equal(responsesPath({}), '/openai/v1/responses');
  assert.equal(
    responsesPath({ apiVersion: '2025-04-01-preview' }),
    '/openai/responses?api-version=2025-04-01-preview',
  );
  for (const declaration of [openai, azureOpenai]) {
    assert.equal(endpointOf(declaration, {}, { model: 'm', dialect: 'messages' }, RESOURCE)?.dialect, 'chat');
  }
});

test('credentials as each cloud takes them', () => {
  assert.deepEqual(azureOpenai.authorize('k'), { 'api-key': 'k' });
  assert.deepEqual(bedrock.authorize('k'), { authorization: 'Bearer k' });
  assert.deepEqual(vertex.authorize('k'), { authorization: 'Bearer k' });
});

/** The URLs of recorded calls whose verb is one of these, once each. */
function recordedUrls(name: string, verb: RegExp): string[] {
  const urls = readExchanges(name).map(({ url }: Exchange) => url);
  return [...new Set(urls.filter((url) => verb.test(url)))];
}

test('recorded calls of Vertex went to where ours go', { skip: skipWithoutWire }, () => {
  const urls = recordedUrls('vertex', /:(?:streamGenerate|generate)Content/);
  assert.ok(urls.length >= 3);
  for (const url of urls) {
    const [, project = '', location = '', model = '', verb = ''] =
      /projects\/([^/]+)\/locations\/([^/]+)\/.*models\/([^:]+):(\w+)/.exec(url) ?? [];
    const asked = { model, stream: verb.startsWith('stream') };
    assert.equal(endpointOf(vertex, { project, location }, asked)?.url, url);
  }
});

test('recorded calls of Bedrock went to where ours go', { skip: skipWithoutWire }, () => {
  const urls = recordedUrls('bedrock', /\/converse(?:-stream)?$/);
  assert.ok(urls.length >= 20);
  for (const url of urls) {
    const [, region = '', segment = '', verb = ''] =
      /runtime\.([^.]+)\..*\/model\/([^/]+)\/(.+)$/.exec(url) ?? [];
    const model = pathSegment(decodeURIComponent(segment));
    const settings = { region };
    const path = bedrock.paths.generate({ model, stream: verb === 'converse-stream', settings });
    assert.equal(bedrock.baseUrlAt(settings) + path, url);
  }
});

test('recorded calls of Azure went to where ours go', { skip: skipWithoutWire }, () => {
  const urls = recordedUrls('azure', /\/responses$/);
  assert.equal(urls.length, 1);
  assert.equal(new URL(urls[0] ?? '').pathname, responsesPath({}));
});
