import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatProblem } from '../../src/config/problem.ts';
import {
  CLOUD_PROVIDERS,
  FIXTURE_ENV,
  KNOWN_PROVIDERS,
  parse,
  plain,
  problemsOf,
  readFixture,
} from './support.ts';

test('the example of the design parses whole', () => {
  const config = parse(readFixture('design.yaml.txt'), FIXTURE_ENV);
  assert.deepEqual(Object.keys(config.providers), ['openai', 'anthropic', 'local', 'echo']);
  assert.deepEqual(plain(config.state), { kind: 'memory' });
  assert.deepEqual(plain(config.store), { kind: 'sqlite', path: './data/fairlead.db' });
  assert.deepEqual(plain(config.models['smart']), {
    strategy: 'failover',
    retries: 2,
    targets: [
      {
        target: 'openai/gpt-4.1-2025-04-14',
        provider: 'openai',
        model: 'gpt-4.1-2025-04-14',
        release: { target: 'openai/gpt-4.1-2025-04-14' },
        timeouts: { connect: 2_000, firstByte: 30_000, idle: 30_000, total: 600_000 },
      },
      {
        target: 'anthropic/claude-sonnet-4-5',
        provider: 'anthropic',
        model: 'claude-sonnet-4-5',
        release: { target: 'anthropic/claude-sonnet-4-5' },
        timeouts: { connect: 2_000, firstByte: 30_000, idle: 30_000, total: 600_000 },
      },
    ],
  });
  assert.deepEqual(plain(config.tenants['acme']?.keys), [
    {
      name: 'app',
      secret: 'sk-fl-acme-app',
      limits: { requestsPerMinute: 60 },
      expires: Date.UTC(2027, 0, 1),
    },
  ]);
});

test('every key of the language parses', () => {
  const config = parse(readFixture('everything.yaml'), FIXTURE_ENV, [...KNOWN_PROVIDERS, ...CLOUD_PROVIDERS]);
  assert.equal(config.server.port, 8443);
  assert.equal(config.server.bodyLimit, 1024 ** 3);
  assert.equal(config.models['smart']?.targets[1]?.model, 'org/llama');
  assert.equal(config.tenants['acme']?.keys[0]?.expires, Date.UTC(2027, 0, 1, 10));
  assert.equal(config.tenants['acme']?.capture?.retention, 30 * 86_400_000);
  assert.deepEqual(plain(config.rollouts?.['triage']), {
    prompt: 'support/triage',
    stable: 3,
    candidate: 'staging',
  });
});

test('timeouts are decided: target before model before provider before the defaults', () => {
  const config = parse(
    `
providers:
  local: { adapter: openai-compatible, baseUrl: "http://x/v1", timeouts: { connect: 1s, idle: 1s, firstByte: 1s } }
models:
  a:
    targets: [{ target: local/a, timeouts: { idle: 3s } }, echo/echo]
    timeouts: { connect: 2s, idle: 2s }
`,
  );
  assert.deepEqual(plain(config.models['a']?.targets.map((target) => target.timeouts)), [
    { connect: 2_000, firstByte: 1_000, idle: 3_000, total: 600_000 },
    { connect: 2_000, firstByte: 300_000, idle: 2_000, total: 600_000 },
  ]);
});

test('names that somebody else chose find only what was configured', () => {
  const config = parse('models: { a: { targets: [echo/echo] } }');
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    assert.equal(config.models[name], undefined);
    assert.equal(config.providers[name], undefined);
    assert.equal(config.tenants[name], undefined);
  }
  const odd = parse('models: { constructor: { targets: [echo/echo] } }');
  assert.equal(odd.models['constructor']?.targets[0]?.provider, 'echo');
});

test('a config cannot be changed', () => {
  const config = parse('models: { a: { targets: [echo/echo] } }');
  assert.throws(() => Object.assign(config.models, { b: {} }), TypeError);
  assert.throws(() => Object.assign(config.server, { port: 1 }), TypeError);
  assert.throws(() => Object.assign(config.models['a']?.targets[0] ?? {}, { model: 'x' }), TypeError);
});

test('every problem is reported at once, in the order of the file', () => {
  const text = `
server: { port: 99999, hots: x }
models:
  a: { targets: [nowhere/x], strategy: fastes }
  b: { targets: [] }
tenants:
  t: { models: [c] }
  u: { models: ["\${MISSING}"] }
`;
  assert.deepEqual(
    problemsOf(text).map((problem) => `${problem.line} ${problem.path}`),
    [
      '2 server.port',
      '2 server.hots',
      '4 models.a.targets[0]',
      '4 models.a.strategy',
      '5 models.b.targets',
      '7 tenants.t.models[0]',
      '8 tenants.u.models[0]',
    ],
  );
});

const SENSITIVE_PLACES = [
  'providers: { openai: { accounts: [{ name: a, apiKey: SECRET }] } }',
  'providers: { openai: { accounts: [{ name: a, apiKey: [SECRET] }] } }',
  'providers: { openai: { accounts: SECRET } }',
  'providers: { openai: SECRET }',
  'providers: { openai: { headers: { authorization: SECRET } } }',
  'providers: { openai: { headers: { "bad name": SECRET } } }',
  'providers: { openai: { baseUrl: SECRET } }',
  'providers: { openai: { apiKey: SECRET } }',
  'providers: { openai: { adapter: SECRET } }',
  'providers: { SECRET: {} }',
  'providers: { openai: { accounts: [{ name: SECRET/x, apiKey: k }] } }',
  'providers: { openai: { accounts: [{ name: a, apiKey:SECRET }] } }',
  'tenants: { a: { models: ["*"], keys: [{ name: a, secret: SECRET }, { name: b, secret: SECRET }] } }',
  'tenants: { a: { models: ["*"], keys: [SECRET] } }',
  'tenants: { a: { models: [SECRET] } }',
  'models: { a: { targets: [SECRET] } }',
  'models: { a: { strategy: SECRET, targets: [{ target: SECRET }] } }',
  'server: { port: SECRET }',
  'store: SECRET',
  'state: SECRET',
  'SECRET',
  'SECRET: SECRET',
];

test('property: a secret from the environment is in no message, wherever it was put', () => {
  // The line break makes it wrong in every place, so that there is something to report.
  const secrets = fc.stringMatching(/^[a-z0-9]{12,40}$/);
  fc.assert(
    fc.property(fc.constantFrom(...SENSITIVE_PLACES), secrets, (place, secret) => {
      const text = place.replaceAll('SECRET', `"\${THE_SECRET}"`);
      const problems = problemsOf(text, { THE_SECRET: `${secret}\n` });
      assert.notEqual(problems.length, 0, text);
      for (const problem of problems)
        assert.ok(!formatProblem(problem).includes(secret), formatProblem(problem));
    }),
  );
});

for (const place of SENSITIVE_PLACES) {
  test(`a secret that stands in the file is not shown: ${place}`, () => {
    for (const secret of ['sk-live-0123 4567', 'AIzaSyA-0123456789 ', 'postgres://user:hunter22@host']) {
      // Valid keys are no problem, so each is broken by the space or by its place.
      for (const problem of problemsOf(place.replaceAll('SECRET', JSON.stringify(secret)))) {
        assert.ok(!formatProblem(problem).includes(secret.trim()), formatProblem(problem));
      }
    }
  });
}
