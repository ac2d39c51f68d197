import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { type CallCursor, decodeCursor, encodeCursor } from '../../src/usage/cursor.ts';
import type { UsageQuery } from '../../src/usage/queries.ts';
import { callsQuerySchema, parseQuery, usageQuerySchema } from '../../src/usage/query-string.ts';
import { anyWords } from '../support/any-text.ts';

test('without parameters everything is summed, and all calls are wanted', () => {
  const usage: UsageQuery = parseQuery(usageQuerySchema, {});
  assert.deepEqual(usage, { groupBy: [] });
  assert.deepEqual(parseQuery(callsQuerySchema, {}), {});
});

test('every parameter is read', () => {
  assert.deepEqual(
    parseQuery(usageQuerySchema, {
      by: 'tenant, model,day',
      from: '2026-11-01',
      to: '2026-11-23T12:30:00+01:00',
      tenant: 'acme',
      key: 'app',
      model: 'smart',
      target: 'openai/gpt-4.1',
      outcome: 'failed',
    }),
    {
      groupBy: ['tenant', 'model', 'day'],
      from: Date.UTC(2026, 10, 1),
      to: Date.UTC(2026, 10, 23, 11, 30),
      tenant: 'acme',
      key: 'app',
      model: 'smart',
      target: 'openai/gpt-4.1',
      outcome: 'failed',
    },
  );
  const cursor: CallCursor = { startedAt: 1_795_132_800_000, id: 'call-1' };
  assert.deepEqual(
    parseQuery(callsQuerySchema, { limit: '1000', cursor: encodeCursor(cursor), outcome: 'cancelled' }),
    {
      limit: 1000,
      cursor,
      outcome: 'cancelled',
    },
  );
});

const REFUSED: [query: Record<string, string | string[]>, param: string, message: RegExp][] = [
  [{ tenat: 'acme' }, 'tenat', /^'tenat' is no parameter here\.$/],
  [{ ['__proto__x']: '1' }, '__proto__x', /is no parameter here/],
  [{ tenant: '' }, 'tenant', /^'tenant': give a tenant's name\.$/],
  [{ tenant: ['a', 'b'] }, 'tenant', /^'tenant': give it once, as a tenant's name\.$/],
  [{ from: 'yesterday' }, 'from', /^'from': give a day such as 2027-01-31/],
  [{ from: '2026-11-01T12:00:00' }, 'from', /^'from': give a day such as 2027-01-31/],
  [{ from: '2026-02-30' }, 'from', /^'from': the calendar does not have this day/],
  [{ from: '2026-11-02', to: '2026-11-01' }, 'to', /^'to': give a moment after 'from'\.$/],
  [{ outcome: 'good' }, 'outcome', /^'outcome': give one of ok, failed, interrupted, /],
];

for (const [query, param, message] of REFUSED) {
  for (const schema of [usageQuerySchema, callsQuerySchema]) {
    const of = schema === usageQuerySchema ? 'usage' : 'calls';
    test(`a query for ${of} with ${JSON.stringify(query)} is refused, naming '${param}'`, () => {
      assert.throws(() => parseQuery(schema, query), refusal(param, message));
    });
  }
}

test('what to sum by is a list of groupings', () => {
  const message = /^'by': give a list of tenant, key, model, target, tier, prompt, side, day\.$/;
  for (const by of ['', 'tenant,', 'month', 'tenant,month']) {
    assert.throws(() => parseQuery(usageQuerySchema, { by }), refusal('by', message));
  }
});

test('a limit is a whole number from 1 to 1000', () => {
  const message = /^'limit': give a whole number from 1 to 1000\.$/;
  for (const limit of ['0', '1001', '-1', '1.5', '1e2', 'many', '99999999999']) {
    assert.throws(() => parseQuery(callsQuerySchema, { limit }), refusal('limit', message));
  }
});

test('a cursor that is not ours is refused', () => {
  const message = /^'cursor': give the 'nextCursor' of the page before, unchanged\.$/;
  const forged = [{ a: 1 }, [1], ['1', 'a'], [1.5, 'a'], [1, 2], [1, 'a', 'b'], null];
  const texts = [
    'x',
    '%%%',
    ...forged.map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
  ];
  for (const cursor of texts) {
    assert.throws(() => parseQuery(callsQuerySchema, { cursor }), refusal('cursor', message));
  }
});

test('a cursor survives its way through a URL', () => {
  fc.assert(
    fc.property(fc.integer(), anyWords(), (startedAt, id) => {
      const text = encodeCursor({ startedAt, id });
      assert.equal(encodeURIComponent(text), text);
      assert.deepEqual(decodeCursor(text), { startedAt, id });
    }),
  );
});

function refusal(param: string, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof GatewayError);
    assert.equal(error.kind, 'invalid_request');
    assert.equal(error.param, param);
    assert.match(error.message, message);
    return true;
  };
}
