import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderCompatibilityPage } from '../../scripts/compatibility/page.ts';
import { loadDeclarations } from '../../src/upstream/load-declarations.ts';
import { PROVIDER_KINDS } from '../sdk/matrix/providers.ts';

test('docs/compatibility.md is fresh (npm run compatibility makes it)', () => {
  const file = new URL('../../docs/compatibility.md', import.meta.url);
  assert.equal(readFileSync(file, 'utf8'), renderCompatibilityPage());
});

test('every provider is in it, and its rows are what the matrix test has asked', async () => {
  const asked = new Set(PROVIDER_KINDS.map(({ adapter }) => adapter));
  // Echo is no model: it is in this process.
  const declared = (await loadDeclarations()).filter(({ inProcess }) => inProcess === undefined);
  assert.deepEqual([...asked].sort(), declared.map(({ name }) => name).sort());
});
