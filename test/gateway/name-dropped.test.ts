import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameDropped } from '../../src/gateway/name-dropped.ts';

test('what was dropped is named as it is, where it fits', () => {
  assert.equal(nameDropped(['seed', 'tools[0].strict']), 'seed, tools[0].strict');
  assert.equal(nameDropped(['größe', '\ud800\r\n']), 'gr%C3%B6%C3%9Fe, %EF%BF%BD%0D%0A');
});

test('names never fill the head of an answer: what does not fit is counted', () => {
  const names = Array.from({ length: 5_000 }, (_, index) => `field_${index}_${'x'.repeat(90)}`);
  const value = nameDropped(names);
  assert.ok(value.length < 2_100, `${value.length} characters`);
  assert.match(value, /^field_0_x+, .*, and \d+ more$/);
  const shown = value.split(', ').length - 1;
  assert.ok(value.endsWith(`and ${5_000 - shown} more`));
});

test('a name without end is cut', () => {
  assert.equal(nameDropped(['y'.repeat(70_000), 'seed']), `${'y'.repeat(200)}..., seed`);
  // Escaped it would be nine times as long.
  assert.ok(nameDropped(Array.from({ length: 50 }, () => '世'.repeat(300))).length < 2_100);
});
