import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashSecret, KeyRing, makeSecret, type TenantKey } from '../../src/tenants/keys.ts';

const NOON = Date.UTC(2026, 10, 23, 12);

function keyOf(secret: string, differences: Partial<TenantKey> = {}): TenantKey {
  return { hash: hashSecret(secret), tenant: 'acme', key: 'app', ...differences };
}

test('a secret is hashed with SHA-256, in hex', () => {
  // FIPS 180-2, appendix B.1.
  assert.equal(hashSecret('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
});

test('a made secret tells its kind, is all letters and digits, and is never made twice', () => {
  assert.match(makeSecret('tenant'), /^sk-fl-[0-9A-Za-z]{43}$/);
  assert.match(makeSecret('admin'), /^sk-fl-admin-[0-9A-Za-z]{43}$/);
  const made = new Set(Array.from({ length: 200 }, () => makeSecret('tenant')));
  assert.equal(made.size, 200);
});

test('every random bit is in the secret', () => {
  const ofBytes = (bytes: Uint8Array) => makeSecret('tenant', () => bytes);
  const secrets = new Set([ofBytes(new Uint8Array(32))]);
  for (let bit = 0; bit < 256; bit += 1) {
    const bytes = new Uint8Array(32);
    bytes[bit >> 3] = 1 << (bit & 7);
    secrets.add(ofBytes(bytes));
  }
  assert.equal(secrets.size, 257);
  assert.equal(ofBytes(new Uint8Array(32)), `sk-fl-${'0'.repeat(43)}`);
});

test('a key is found by its secret only', () => {
  const keys = new KeyRing([keyOf('sk-fl-one'), keyOf('sk-fl-two', { key: 'batch' })], () => NOON);
  assert.equal(keys.size, 2);
  assert.equal(keys.find('sk-fl-one')?.key, 'app');
  assert.equal(keys.find('sk-fl-two')?.key, 'batch');
  assert.equal(keys.find('sk-fl-three'), undefined);
  assert.equal(keys.find(''), undefined);
  assert.equal(keys.find(hashSecret('sk-fl-one')), undefined, 'its hash is no secret');
});

test('a key is found until it expires, and not from then on', () => {
  let now = NOON - 1;
  const keys = new KeyRing([keyOf('sk-fl-one', { expiresAt: NOON })], () => now);
  assert.equal(keys.find('sk-fl-one')?.tenant, 'acme');
  now = NOON;
  assert.equal(keys.find('sk-fl-one'), undefined);
});

test('two keys with one secret are refused by name, without the secret', () => {
  const keys = [keyOf('sk-fl-same'), keyOf('sk-fl-same', { tenant: 'beta', key: 'web' })];
  assert.throws(() => new KeyRing(keys, () => NOON), {
    message:
      "The keys 'app' of tenant 'acme' and 'web' of tenant 'beta' have the same secret. Give each its own.",
  });
});
