import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Environment } from '../../src/config/substitute.ts';
import { CLOUD_PROVIDERS, parse, plain, problemsOf } from './support.ts';

function parseClouds(text: string, env: Environment = {}) {
  return parse(text, env, CLOUD_PROVIDERS);
}

/** Provider, accounts and settings, without what every provider has. */
function providersOf(text: string, env: Environment = {}): unknown {
  const { providers } = parseClouds(text, env);
  const shown = Object.entries(providers).map(([name, provider]) => {
    const { adapter: _adapter, headers: _headers, timeouts: _timeouts, origin: _origin, ...rest } = provider;
    return [name, rest];
  });
  return plain(Object.fromEntries(shown));
}

const AWS = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'secret' };

const FROM_ENVIRONMENT: [string, Environment, unknown][] = [
  ['an AWS key without a region is for something else', AWS, {}],
  [
    'AWS keys with a region make bedrock exist',
    { ...AWS, AWS_SESSION_TOKEN: 'token', AWS_REGION: 'eu-west-1' },
    {
      bedrock: {
        region: 'eu-west-1',
        accounts: [
          {
            name: 'environment',
            aws: { accessKeyId: 'AKID', secretAccessKey: 'secret', sessionToken: 'token' },
          },
        ],
      },
    },
  ],
  [
    'a bearer token of Bedrock goes before the keys',
    { ...AWS, AWS_BEARER_TOKEN_BEDROCK: 'bearer', AWS_DEFAULT_REGION: 'us-east-1' },
    { bedrock: { region: 'us-east-1', accounts: [{ name: 'environment', apiKey: 'bearer' }] } },
  ],
  [
    'a Google project makes vertex exist, with the credentials that the library finds',
    { GOOGLE_CLOUD_PROJECT: 'p' },
    { vertex: { project: 'p', location: 'global', accounts: [{ name: 'environment' }] } },
  ],
  [
    'a credentials file and a location are taken',
    {
      GOOGLE_CLOUD_PROJECT: 'p',
      GOOGLE_CLOUD_LOCATION: 'us-east5',
      GOOGLE_APPLICATION_CREDENTIALS: '/k.json',
    },
    {
      vertex: {
        project: 'p',
        location: 'us-east5',
        accounts: [{ name: 'environment', google: { file: '/k.json' } }],
      },
    },
  ],
  ['an Azure key without an address is of no use', { AZURE_OPENAI_API_KEY: 'k' }, {}],
  [
    'an Azure key and endpoint make azure-openai exist',
    {
      AZURE_OPENAI_API_KEY: 'k',
      AZURE_OPENAI_ENDPOINT: 'https://r.openai.azure.com/',
      OPENAI_API_VERSION: '2024-10-21',
    },
    {
      'azure-openai': {
        baseUrl: 'https://r.openai.azure.com/',
        apiVersion: '2024-10-21',
        accounts: [{ name: 'environment', apiKey: 'k' }],
      },
    },
  ],
  [
    'an application in Entra ID instead of the key',
    {
      AZURE_OPENAI_ENDPOINT: 'https://r.openai.azure.com',
      AZURE_TENANT_ID: 't',
      AZURE_CLIENT_ID: 'c',
      AZURE_CLIENT_SECRET: 's',
    },
    {
      'azure-openai': {
        baseUrl: 'https://r.openai.azure.com',
        accounts: [{ name: 'environment', entra: { tenantId: 't', clientId: 'c', clientSecret: 's' } }],
      },
    },
  ],
];

for (const [name, env, expected] of FROM_ENVIRONMENT) {
  test(name, () => assert.deepEqual(providersOf('', env), expected));
}

test('accounts that say only a region take the credentials of the environment', () => {
  const text =
    'providers: { bedrock: { accounts: [{ name: us, region: us-east-1 }, { name: eu, region: eu-west-1, apiKey: k }] } }';
  assert.deepEqual(providersOf(text, AWS), {
    bedrock: {
      accounts: [
        { name: 'us', region: 'us-east-1', aws: { accessKeyId: 'AKID', secretAccessKey: 'secret' } },
        { name: 'eu', region: 'eu-west-1', apiKey: 'k' },
      ],
    },
  });
});

test('what is written goes before the environment, and another provider of the kind takes nothing from it', () => {
  const env = { GOOGLE_CLOUD_PROJECT: 'env', GOOGLE_CLOUD_LOCATION: 'us-east5' };
  const text = 'providers: { vertex: { project: written }, other: { adapter: vertex, project: p } }';
  assert.deepEqual(providersOf(text, env), {
    vertex: { project: 'written', location: 'us-east5', accounts: [{ name: 'environment' }] },
    other: { project: 'p', location: 'global', accounts: [] },
  });
});

const KEY = '{ name: a, aws: { accessKeyId: A, secretAccessKey: top-secret } }';

const BROKEN: [string, string, string[]][] = [
  [
    'a required setting is missing',
    `providers: { bedrock: { accounts: [${KEY}] } }`,
    ['providers.bedrock: region is missing: write it, or set AWS_REGION or AWS_DEFAULT_REGION'],
  ],
  [
    'a required setting is missing at a provider of another name',
    'providers: { mine: { adapter: vertex } }',
    ['providers.mine: project is missing: write it'],
  ],
  [
    'a field of the credentials is missing',
    'providers: { bedrock: { region: us-east-1, accounts: [{ name: a, aws: { accessKeyId: A } }] } }',
    [
      'providers.bedrock.accounts[0].aws.secretAccessKey: expected a credential of printable ASCII characters without spaces around it, found nothing',
    ],
  ],
  [
    'an account says nothing of who it is',
    'providers: { bedrock: { region: us-east-1, accounts: [{ name: a }] } }',
    ['providers.bedrock.accounts[0]: has no credentials: write aws or apiKey'],
  ],
  [
    'servers to be found for a provider whose requests are signed for one',
    `providers: { bedrock: { region: us-east-1, discovery: { dns: a }, accounts: [${KEY}] } }`,
    ['providers.bedrock.discovery: has no effect here: requests are signed for one address'],
  ],
  [
    'credentials and settings of another cloud',
    `providers: { vertex: { project: p, region: us-east-1, accounts: [${KEY}] } }`,
    [
      'providers.vertex.region: vertex takes no region',
      'providers.vertex.accounts[0].aws: vertex takes no aws',
    ],
  ],
  [
    'two kinds of credentials',
    `providers: { bedrock: { region: us-east-1, accounts: [{ name: a, apiKey: k, aws: { accessKeyId: A, secretAccessKey: s } }] } }`,
    ['providers.bedrock.accounts[0]: expected one of apiKey, apiKeyFile, aws, google, entra, not several'],
  ],
  [
    'a service account that is none, which is not shown',
    `providers: { vertex: { project: p, accounts: [{ name: a, google: { serviceAccount: '{"private_key":"top-secret"}' } }] } }`,
    [
      'providers.vertex.accounts[0].google.serviceAccount: expected the JSON of a service account, with client_email and private_key, found text (not shown)',
    ],
  ],
  [
    'a service account without a key',
    'providers: { vertex: { project: p, accounts: [{ name: a, google: { serviceAccount: { client_email: x } } }] } }',
    ['providers.vertex.accounts[0].google.serviceAccount.private_key: expected text, found nothing'],
  ],
  [
    'neither a service account nor a file',
    'providers: { vertex: { project: p, accounts: [{ name: a, google: {} }] } }',
    ['providers.vertex.accounts[0].google: expected exactly one of serviceAccount, file'],
  ],
  [
    'a region that would lead to another host',
    `providers: { bedrock: { region: "evil.example/", accounts: [${KEY}] } }`,
    ['providers.bedrock.region: expected a region such as us-east-1, found "evil.example/"'],
  ],
  [
    'a deployment that would lead to another path',
    'providers: { azure-openai: { baseUrl: "https://r", deployments: { m: a/b }, accounts: [{ name: a, apiKey: k }] } }',
    [
      'providers.azure-openai.deployments.m: expected the name of a deployment, without spaces, "/", "?" and "#", found "a/b"',
    ],
  ],
  [
    'Azure without an address',
    'providers: { azure-openai: { accounts: [{ name: a, apiKey: k }] } }',
    ['providers.azure-openai: baseUrl is missing: azure-openai has no address of its own'],
  ],
  [
    'a header of an account’s own that its signature has, too',
    `providers: { bedrock: { region: us-east-1, accounts: [{ name: a, aws: { accessKeyId: A, secretAccessKey: s }, headers: { Authorization: "Bearer mine", X-Amz-Date: now, x-own: "1" } }] } }`,
    ['Authorization', 'X-Amz-Date'].map(
      (header) =>
        `providers.bedrock.accounts[0].headers.${header}: each request is signed, which makes this header: leave it out, or write apiKey instead of aws`,
    ),
  ],
  [
    'such a header for all accounts of a provider of which one signs in',
    'providers: { vertex: { project: p, headers: { authorization: Bearer mine }, accounts: [{ name: a, apiKey: k }, { name: b }] } }',
    [
      'providers.vertex.headers.authorization: each request is signed, which makes this header: leave it out, or write apiKey instead of google',
    ],
  ],
];

const UNSIGNED = [
  'bedrock: { region: us-east-1, accounts: [{ name: a, apiKey: k, headers: { authorization: Bearer mine } }] }',
  'azure-openai: { baseUrl: "https://proxy", headers: { authorization: Bearer mine } }',
];
for (const provider of UNSIGNED) {
  test(`a header of one’s own may stand where nothing is signed: ${provider}`, () => {
    assert.deepEqual(problemsOf(`providers: { ${provider} }`, {}, CLOUD_PROVIDERS), []);
  });
}

for (const [name, text, expected] of BROKEN) {
  test(`${name}: an error with its path`, () => {
    const problems = problemsOf(text, {}, CLOUD_PROVIDERS);
    assert.deepEqual(
      problems.map(({ path, message }) => `${path}: ${message}`),
      expected,
    );
    assert.doesNotMatch(JSON.stringify(problems), /top-secret/);
  });
}

test('variables of a provider that is there are held against the schema', () => {
  const env = { ...AWS, AWS_SECRET_ACCESS_KEY: 'two\nlines', AWS_REGION: 'not a region' };
  assert.deepEqual(
    problemsOf('', env, CLOUD_PROVIDERS).map(({ path, message }) => `${path}: ${message}`),
    [
      'AWS_SECRET_ACCESS_KEY: expected a credential of printable ASCII characters without spaces around it',
      'AWS_REGION: expected a region such as us-east-1',
    ],
  );
});
