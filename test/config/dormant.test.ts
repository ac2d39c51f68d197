import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DORMANT, describeDormant, listDormant, listDormantIn } from '../../src/config/dormant.ts';
import { CLOUD_PROVIDERS, FIXTURE_ENV, KNOWN_PROVIDERS, parse, readFixture } from './support.ts';

test('a config that uses only what is in effect has no dormant field', () => {
  const text = `
server: { host: 0.0.0.0, port: 1, bodyLimit: 1mb, drainTimeout: 1s }
store: sqlite:x.db
state: memory
providers: { openai: { accounts: [{ name: a, apiKey: k }], timeouts: { connect: 1s } } }
models: { a: { targets: [openai/x, echo/echo], strategy: failover, timeouts: { total: 1s }, approval: none } }
prices: { openai/x: { input: 1, output: 1 } }
tenants: { t: { models: ["*"], keys: [{ name: k, secret: sk-fl-123456, expires: 2030-01-01 }] } }
logging: { level: warn }
`;
  assert.deepEqual(listDormant(parse(text)), []);
});

test('a config that uses everything uses every dormant field', () => {
  const used = listDormant(
    parse(readFixture('everything.yaml'), FIXTURE_ENV, [...KNOWN_PROVIDERS, ...CLOUD_PROVIDERS]),
  ).map((use) => use.field);
  assert.deepEqual(
    used,
    DORMANT.map((field) => field.pattern),
  );
});

test('one line tells of a field, however often it is used', () => {
  const paths = ['tenants.a.one', 'tenants.b.one', 'tenants.c.one'];
  assert.equal(
    describeDormant({ field: 'tenants.*.one', paths }),
    'tenants.a.one (and 2 more such): parsed, not in effect yet',
  );
});

test('of a part that somebody sends only what stands there is told', () => {
  const part = { workers: 2, port: 1 };
  assert.deepEqual(listDormantIn(part, 'server.'), ['workers']);
  assert.deepEqual(listDormantIn({ server: part }), ['server.workers']);
  assert.deepEqual(listDormantIn(part, 'models.*.'), []);
});
