import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { configJsonSchema, renderSchemaFile } from '../../src/config/json-schema.ts';
import { isObject, type JsonValue } from '../../src/conversation/json.ts';
import { readFixture } from './support.ts';

test('schema/fairlead.schema.json is fresh (node scripts/write-schema.ts makes it)', () => {
  const file = new URL('../../schema/fairlead.schema.json', import.meta.url);
  assert.equal(readFileSync(file, 'utf8'), renderSchemaFile());
});

const schema = z.fromJSONSchema(configJsonSchema());

for (const name of ['design.yaml.txt', 'everything.yaml']) {
  test(`the schema takes ${name}, placeholders and all`, () => {
    // As an editor sees it: placeholders not yet replaced, and `memory:` in the quotes that YAML wants.
    const value = parseYaml(readFixture(name).replace('state: memory:', 'state: memory'));
    assert.deepEqual(schema.safeParse(value).error?.issues, undefined);
  });
}

test('a placeholder may stand for a number, a word of a list, a flag and a duration', () => {
  const value = {
    server: { port: `\${PORT}`, drainTimeout: `\${T:-30s}` },
    models: { a: { targets: [`\${TARGET}`], strategy: `\${S}`, continueStreams: `\${C}` } },
  };
  assert.ok(schema.safeParse(value).success);
});

const REFUSED: [string, unknown][] = [
  ['an unknown key', { servr: {} }],
  ['an unknown key inside', { models: { a: { targets: ['a/b'], retrys: 1 } } }],
  ['a missing key', { models: { a: {} } }],
  ['a number out of range', { server: { port: 70000 } }],
  ['a duration without unit', { server: { drainTimeout: '30' } }],
  ['a word that is not in the list', { models: { a: { targets: ['a/b'], strategy: 'best' } } }],
];

for (const [name, value] of REFUSED) {
  test(`the schema refuses ${name}`, () => assert.ok(!schema.safeParse(value).success));
}

test('every key is described', () => {
  assert.deepEqual(undescribed(configJsonSchema(), 'config'), []);
});

/** Paths of properties without a description. */
function undescribed(value: JsonValue | undefined, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((entry) => undescribed(entry, path));
  if (!isObject(value)) return [];
  const properties = isObject(value['properties']) ? Object.entries(value['properties']) : [];
  const missing = properties.filter(
    ([, property]) => !isObject(property) || property['description'] === undefined,
  );
  const inner = Object.entries(value).flatMap(([key, entry]) =>
    key === 'properties' && isObject(entry)
      ? Object.entries(entry).flatMap(([name, property]) => undescribed(property, `${path}.${name}`))
      : undescribed(entry, path),
  );
  return [...missing.map(([name]) => `${path}.${name}`), ...inner];
}
