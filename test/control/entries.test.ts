import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Change,
  diffEntries,
  foldChanges,
  invertChange,
  undoChanges,
} from '../../src/control/change.ts';
import { type Entry, joinDocument, type OwnedEntry, splitDocument } from '../../src/control/entry.ts';
import { Layers } from '../../src/control/layers.ts';
import { hideSealed } from '../../src/control/marks.ts';
import { Sealer } from '../../src/control/sealer.ts';
import { Vault } from '../../src/control/veil.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { hashSecret } from '../../src/tenants/keys.ts';

const names = fc.constantFrom('a', 'b', 'c', 'd-1', 'e.x');
const values = fc.record({ x: fc.integer({ min: 0, max: 3 }), y: fc.array(fc.string(), { maxLength: 2 }) });
const section = fc.dictionary(names, values);
const granted = fc.constantFrom('m', 'openai/gpt/5', '*', 'openai/*');
const tenant = fc
  .tuple(
    values,
    fc.uniqueArray(names, { minLength: 1, maxLength: 3 }),
    fc.uniqueArray(granted, { maxLength: 3 }),
  )
  .map(([value, keys, models]) => ({
    ...value,
    keys: keys.map((name) => ({ name, secretHash: hashSecret(name) })),
    ...(models.length > 0 && { grants: models.map((model) => ({ model, until: '2099-01-01' })) }),
  }));

/** Documents as they are after their check: sections that are empty say nothing. */
const documents: fc.Arbitrary<JsonObject> = fc
  .record({ models: section, providers: section, tenants: fc.dictionary(names, tenant), prices: section })
  .map((document) =>
    JSON.parse(
      JSON.stringify(
        Object.fromEntries(Object.entries(document).filter(([, value]) => Object.keys(value).length > 0)),
      ),
    ),
  );

const own = (entries: Iterable<Entry>, owner: 'file' | 'api'): OwnedEntry[] =>
  [...entries].map((entry) => ({ ...entry, owner }));

/** Keys are a list, but in no order that means anything. */
function normal(document: JsonObject): JsonObject {
  const tenants = Object.entries((document['tenants'] ?? {}) as unknown as Record<string, TenantLists>);
  if (tenants.length === 0) return document;
  const sorted = tenants.map(([name, tenant]) => [
    name,
    {
      ...tenant,
      keys: tenant.keys.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      ...(tenant.grants && { grants: tenant.grants.toSorted((a, b) => (a.model < b.model ? -1 : 1)) }),
    },
  ]);
  return { ...document, tenants: Object.fromEntries(sorted) };
}

interface TenantLists {
  keys: { name: string }[];
  grants?: { model: string }[];
}

const exportOf = (layers: Layers, owner: 'file' | 'api') => normal(joinDocument(layers.ofOwner(owner)));

test('a document that is taken apart and put together is the same', () => {
  fc.assert(
    fc.property(documents, (document) => {
      assert.deepEqual(joinDocument(splitDocument(document)), document);
    }),
  );
});

test('apply of what export gave changes nothing, and what apply made is what export gives', () => {
  fc.assert(
    fc.property(documents, documents, (before, wanted) => {
      const layers = new Layers(own(splitDocument(before), 'api'));
      assert.deepEqual(layers.apply(diffEntries('api', layers.ofOwner('api'), splitDocument(wanted))), []);
      const exported = exportOf(layers, 'api');
      assert.deepEqual(exported, normal(wanted));
      assert.deepEqual(diffEntries('api', layers.ofOwner('api'), splitDocument(exported)), []);
    }),
  );
});

test('what the API has of tenants of the file is exported so that applying it changes nothing', () => {
  const kept = fc.array(fc.boolean(), { minLength: 60, maxLength: 60 });
  fc.assert(
    fc.property(documents, kept, (document, isOfFile) => {
      const entries = splitDocument(document).map(
        (entry, index): OwnedEntry => ({ ...entry, owner: isOfFile[index % 60] ? 'file' : 'api' }),
      );
      const layers = new Layers(entries);
      const exported = joinDocument(layers.ofOwner('api'));
      assert.deepEqual(diffEntries('api', layers.ofOwner('api'), splitDocument(exported)), []);
    }),
  );
});

test('mappings in another order are another value, also where they are restored', () => {
  const entry = (value: JsonObject): Entry => ({ kind: 'settings', name: 'prices', value });
  const [one, other] = [entry({ a: { x: 1 }, b: {} }), entry({ b: {}, a: { x: 1 } })];
  const changes = diffEntries('file', [one], [other]);
  assert.equal(changes.length, 1);
  const layers = new Layers(own([other], 'file'));
  const [undone] = undoChanges(changes, (kind, name) => layers.find(kind, name));
  assert.equal(JSON.stringify(undone?.after), JSON.stringify(one.value));
  assert.deepEqual(diffEntries('file', [one], [one]), []);
});

test('a history that is folded comes to the same', () => {
  fc.assert(
    fc.property(documents, fc.array(documents, { minLength: 1, maxLength: 5 }), (first, steps) => {
      const layers = new Layers(own(splitDocument(first), 'api'));
      const follower = new Layers(own(splitDocument(first), 'api'));
      const history = steps.flatMap((step) => {
        const changes = diffEntries('api', layers.ofOwner('api'), splitDocument(step));
        layers.apply(changes);
        return changes;
      });
      follower.apply(foldChanges(history));
      assert.deepEqual(exportOf(follower, 'api'), exportOf(layers, 'api'));
    }),
  );
});

test('undoing any history of changes gives the same configuration', () => {
  fc.assert(
    fc.property(documents, fc.array(documents, { maxLength: 5 }), (first, steps) => {
      const layers = new Layers(own(splitDocument(first), 'api'));
      const history: Change[] = [];
      for (const step of steps) {
        const changes = diffEntries('api', layers.ofOwner('api'), splitDocument(step));
        layers.apply(changes);
        history.push(...changes);
      }
      layers.apply(undoChanges(history, (kind, name) => layers.find(kind, name)));
      assert.deepEqual(exportOf(layers, 'api'), normal(first));
    }),
  );
});

test('a change that is taken back leaves everything as it was', () => {
  fc.assert(
    fc.property(documents, documents, (before, after) => {
      const layers = new Layers(own(splitDocument(before), 'file'));
      const changes = diffEntries('file', layers.ofOwner('file'), splitDocument(after));
      layers.apply(changes);
      layers.apply(changes.map(invertChange));
      assert.deepEqual(exportOf(layers, 'file'), normal(before));
    }),
  );
});

test('what one owner has the other cannot take, and nothing is changed then', () => {
  fc.assert(
    fc.property(documents, documents, (file, api) => {
      const layers = new Layers(own(splitDocument(file), 'file'));
      const changes = diffEntries('api', [], splitDocument(api));
      const shared = changes.filter(({ kind, name }) => layers.find(kind, name));
      const conflicts = layers.apply(changes);
      assert.deepEqual(
        conflicts,
        shared.map(({ kind, name }) => ({ kind, name, owner: 'file', wantedBy: 'api' })),
      );
      assert.deepEqual(layers.ofOwner('api').length, shared.length > 0 ? 0 : changes.length);
      assert.deepEqual(exportOf(layers, 'file'), normal(file));
    }),
  );
});

const SALT = Buffer.alloc(32);
const variable = (name: string) => `\${${name}}`;

for (const [how, sealer] of [
  ['in marks', undefined],
  ['encrypted', new Sealer('a'.repeat(64), undefined, Buffer.alloc(32))],
] as const) {
  test(`a document with its credentials ${how} holds no secret, and its own vault gives every one back`, () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9]{12,20}$/);
    fc.assert(
      fc.property(secret, secret, secret, (apiKey, header, keySecret) => {
        const vault = new Vault(SALT, sealer);
        const document: JsonObject = {
          providers: {
            p: {
              baseUrl: 'http://x/v1',
              accounts: [{ name: 'n', apiKey }],
              headers: { 'x-a': `Bearer ${header}` },
            },
            q: {
              accounts: [{ name: 'n', apiKey: variable('KEY') }],
              headers: { a: `Bearer ${variable('T')}` },
            },
            r: { accounts: [{ name: 'n', apiKey: `\${KEY:-${apiKey}}` }] },
          },
          tenants: { t: { models: ['*'], keys: [{ name: 'k', secret: keySecret }] } },
        };
        const veiled = vault.veil(document);
        for (const hidden of [apiKey, header, keySecret]) assert.ok(!JSON.stringify(veiled).includes(hidden));
        assert.deepEqual(
          (veiled['providers'] as JsonObject)['q'],
          (document['providers'] as JsonObject)['q'],
        );
        const findings: [] = [];
        const unveiled = vault.unveil(veiled, findings) as JsonObject;
        assert.deepEqual(unveiled['providers'], document['providers']);
        assert.deepEqual(unveiled['tenants'], {
          t: { models: ['*'], keys: [{ name: 'k', secretHash: hashSecret(keySecret) }] },
        });
        assert.deepEqual(findings, []);
        if (sealer) assert.deepEqual(new Vault(SALT, sealer).unveil(veiled, findings), unveiled);
        for (const entry of splitDocument(veiled)) assert.equal(vault.reseal(entry, findings), entry.value);
        assert.doesNotMatch(JSON.stringify(hideSealed(veiled)), /"v1\./);
      }),
    );
  });
}

test('a credential that another instance wrote out is found missing, by its path', () => {
  const veiled = new Vault(SALT).veil({
    providers: { p: { accounts: [{ name: 'n', apiKey: 'sk-abcdefgh' }] } },
  });
  const findings: { path: unknown; message: string }[] = [];
  new Vault(SALT).unveil(veiled, findings as []);
  assert.deepEqual(findings[0]?.path, ['providers', 'p', 'accounts', 0, 'apiKey']);
  assert.match(String(findings[0]?.message), /not stored/);
});

test('what a tenant has in a list is found whichever tenants come between, and after it was gone', () => {
  const layers = new Layers();
  const key = (name: string, after: JsonObject | undefined, before?: JsonObject): Change => ({
    owner: 'api',
    kind: 'keys',
    name,
    before,
    after,
  });
  layers.apply([key('a/1', { n: 1 }), key('ab/1', { n: 2 }), key('a/2', { n: 3 }), key('a/b/1', { n: 4 })]);
  const namesOf = (tenant: string) => layers.ofTenant('keys', tenant).map(({ name }) => name);
  assert.deepEqual([namesOf('a'), namesOf('ab')], [['a/1', 'a/2', 'a/b/1'], ['ab/1']]);
  layers.apply([key('ab/1', undefined, { n: 2 })]);
  layers.apply([key('ab/1', { n: 5 })]);
  assert.deepEqual(layers.find('keys', 'ab/1')?.value, { n: 5 });
  assert.deepEqual(
    layers.ofKind('keys').map(({ name }) => name),
    ['a/1', 'a/2', 'a/b/1', 'ab/1'],
  );
});
