import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseRevokedKeys } from '../../src/control/revoked-keys.ts';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../src/conversation/json.ts';

const NOW = Date.UTC(2026, 10, 28);
const [A, B] = [{ secretHash: 'a'.repeat(64) }, { secretHash: 'b'.repeat(64) }];
const LATER = '2026-12-24T00:00:00.000Z';
const PAST = '2026-11-01';
const placeholder = (name: string) => `\${${name}}`;
const variable = (name: string) => ({ secret: placeholder(name) });

/** What a restore would make of a key: what it is now, and what it was. */
const TABLE: [
  what: string,
  now: JsonObject | undefined,
  before: JsonObject | undefined,
  isRefused: boolean,
][] = [
  ['revoked since', undefined, A, true],
  ['revoked since, and past its end', undefined, { ...A, expires: PAST }, false],
  ['made since', A, undefined, false],
  ['its secret rotated since', B, A, true],
  [
    'its secret rotated since, the old one still valid for a while',
    { ...B, previous: { ...A, until: LATER } },
    A,
    true,
  ],
  ['its overlap cut short since', B, { ...B, previous: { ...A, until: LATER } }, true],
  ['its overlap over', B, { ...B, previous: { ...A, until: PAST } }, false],
  ['its end set earlier since', { ...A, expires: PAST }, { ...A, expires: LATER }, true],
  ['an end set since', { ...A, expires: LATER }, A, true],
  ['an end taken away since', A, { ...A, expires: LATER }, false],
  [
    'its end written in another way since',
    { ...A, expires: '2027-01-01' },
    { ...A, expires: '2027-01-01T00:00:00Z' },
    false,
  ],
  ['its models changed since', { ...A, models: ['m'] }, { ...A, models: ['*'] }, false],
  ['another variable since', variable('NEW'), variable('OLD'), true],
  ['the same variable', { ...variable('KEY'), models: [] }, variable('KEY'), false],
  [
    'an end in a variable that is another since',
    { ...A, expires: placeholder('ONE') },
    { ...A, expires: placeholder('TWO') },
    true,
  ],
];

for (const kind of ['keys', 'adminKeys'] as const) {
  for (const [what, now, before, isRefused] of TABLE) {
    test(`a restore of ${kind === 'keys' ? "a tenant's" : 'an admin'} key, ${what}, is ${isRefused ? 'refused' : 'made'}`, () => {
      const change = { owner: 'api', kind, name: 'acme/app', before: now, after: before } as const;
      const restore = () => refuseRevokedKeys([change], NOW);
      if (isRefused) assert.throws(restore, (error) => error instanceof GatewayError && error.status === 409);
      else restore();
    });
  }
}

test('what is no key has no secret to be valid again', () => {
  const change = { owner: 'api', kind: 'models', name: 'm', before: undefined, after: {} } as const;
  refuseRevokedKeys([change], NOW);
});
