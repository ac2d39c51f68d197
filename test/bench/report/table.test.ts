import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Column, renderTable } from '../../../bench/report/table.ts';

const COLUMNS: Column[] = [
  { title: 'subject', align: 'left' },
  { title: 'µs', align: 'right' },
];

test('a table is Markdown whose columns line up, figures to the right', () => {
  const table = renderTable(COLUMNS, [
    ['nginx', '18.0'],
    ['fairlead', '1,053.2'],
  ]);
  assert.equal(
    table,
    [
      '| subject  |      µs |',
      '| -------- | ------: |',
      '| nginx    |    18.0 |',
      '| fairlead | 1,053.2 |',
    ].join('\n'),
  );
});

test('a table without rows still has its head', () => {
  assert.equal(renderTable(COLUMNS, []), '| subject |  µs |\n| ------- | --: |');
});
