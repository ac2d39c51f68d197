import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDocument } from '../../src/config/check-document.ts';
import { configSchema } from '../../src/config/schema.ts';
import type { JsonValue } from '../../src/conversation/json.ts';
import { KNOWN_PROVIDERS } from './support.ts';

const HASH = '0123456789abcdef'.repeat(4);

/** Keys that the schema need not see, and keys that look like them. */
const KEYS: JsonValue[] = [
  [{ name: 'a', secretHash: HASH }],
  [
    { name: 'a', secret: 'sk-fl-secret' },
    { name: 'b', secretHash: HASH },
  ],
  [],
  [{ name: 'a', secret: 'short' }],
  [{ name: 'a', secret: 'with a space' }],
  [{ name: 'a', secretHash: HASH.toUpperCase() }],
  [{ name: 'a', secretHash: `${HASH}0` }],
  [{ name: 'a', secretHash: HASH, secret: 'sk-fl-secret' }],
  [{ name: 'a' }],
  [{ secretHash: HASH }],
  [{ name: '-a', secretHash: HASH }],
  [{ name: 1, secretHash: HASH }],
  [{ name: 'a', secretHash: HASH, unknown: 1 }],
  [{ name: 'a', secretHash: HASH, expires: '2099-01-01', limits: { requestsPerMinute: 1 } }],
  [
    { name: 'a', secretHash: HASH },
    { name: 'b', secretHash: 'x' },
  ],
  [
    { name: 'a', secretHash: HASH, models: ['*'] },
    { name: 'b', secretHash: HASH.replace('0', 'f') },
  ],
  [null],
  ['a'],
  { name: 'a', secretHash: HASH },
  null,
];

for (const keys of KEYS) {
  test(`keys are to the check what they are to the schema: ${JSON.stringify(keys)}`, () => {
    const document = {
      tenants: {
        t: { models: ['*'], keys },
        other: { models: ['*'], keys: [{ name: 'o', secret: 'sk-fl-of-another' }] },
      },
    };
    const before = JSON.stringify(document);
    const context = { env: {}, knownProviders: KNOWN_PROVIDERS, adminKey: undefined };
    const { parsed, findings } = checkDocument(document, context);
    const whole = configSchema.safeParse(document);
    assert.equal(parsed === undefined, !whole.success);
    assert.deepEqual(parsed?.tenants, whole.data?.tenants);
    if (!whole.success) {
      const told = findings.map(({ path }) => path.slice(0, 4).join('.'));
      const [issue] = whole.error.issues;
      assert.ok(
        told.some((path) => (issue?.path.join('.') ?? '').startsWith(path)),
        told.join(', '),
      );
    }
    assert.equal(JSON.stringify(document), before);
  });
}
