import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { toCallRow } from '../../src/usage/call-row.ts';
import { CALL_COLUMNS, sumColumns, writeLines } from '../../src/usage/export.ts';
import { listAllCalls } from '../../src/usage/list-calls.ts';
import { anyWords } from '../support/any-text.ts';
import { openTempStore } from '../support/temp-store.ts';
import { anyRecords, makeRecord } from '../support/usage-records.ts';

/** A reader of RFC 4180, character by character. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let [row, cell, quoted]: [string[], string, boolean] = [[], '', false];
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (quoted && character === '"' && text[index + 1] === '"') {
      cell += '"';
      index += 1;
    } else if (character === '"') quoted = !quoted;
    else if (!quoted && character === ',') {
      row.push(cell);
      cell = '';
    } else if (!quoted && character === '\r' && text[index + 1] === '\n') {
      rows.push([...row, cell]);
      [row, cell] = [[], ''];
      index += 1;
    } else cell += character;
  }
  assert.deepEqual([row, cell, quoted], [[], '', false], 'the last line ends');
  return rows;
}

async function readAll(lines: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const piece of lines) text += piece;
  return text;
}

test('whatever names clients choose, CSV has a line for each record and a cell for each column', async () => {
  await fc.assert(
    fc.asyncProperty(anyRecords(10), anyWords(), async (records, name) => {
      const named = records.map((record) => ({ ...record, model: name }));
      const [titles = [], ...rows] = readCsv(await readAll(writeLines([named], CALL_COLUMNS, 'csv')));
      assert.deepEqual(titles, Object.keys(CALL_COLUMNS));
      assert.equal(rows.length, records.length);
      for (const [index, row] of rows.entries()) {
        const cells: Record<string, string> = Object.fromEntries(
          row.map((cell, column) => [titles[column], cell]),
        );
        assert.equal(row.length, titles.length);
        assert.equal(cells['id'], records[index]?.id);
        assert.ok(cells['model'] === name || cells['model'] === `'${name}`);
        assert.equal(cells['costMicroUsd'], String(records[index]?.costMicroUsd ?? ''));
        assert.deepEqual(JSON.parse(cells['attempts'] ?? ''), records[index]?.attempts);
      }
    }),
  );
});

test('a name that a spreadsheet would take for a formula is made text', async () => {
  const models = ['=1+1', '+1', '-1', '@x', '\tx', 'a=b'];
  const text = await readAll(writeLines([models.map((model) => makeRecord({ model }))], CALL_COLUMNS, 'csv'));
  const column = Object.keys(CALL_COLUMNS).indexOf('model');
  assert.deepEqual(
    readCsv(text)
      .slice(1)
      .map((row) => row[column]),
    ["'=1+1", "'+1", "'-1", "'@x", "'\tx", 'a=b'],
  );
});

test('NDJSON has the records as the admin API gives them', async () => {
  const records = [makeRecord(), makeRecord({ usage: null, model: 'a\nb' })];
  const text = await readAll(writeLines([records], CALL_COLUMNS, 'ndjson'));
  const lines = text.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    records,
  );
});

test('sums without any call still have their titles', async () => {
  const text = await readAll(writeLines([[]], sumColumns(['tenant', 'day']), 'csv'));
  assert.match(
    text,
    /^tenant,day,calls,failed,input,.*,costMicroUsd,unpricedCalls,cachedCalls,savedMicroUsd\r\n$/,
  );
});

test('all calls are exported, and no more are read than somebody takes', async (context) => {
  const store = await openTempStore(context);
  const rows = Array.from({ length: 5_000 }, (_, index) => toCallRow(makeRecord({ startedAt: index })));
  await store.insertCalls(rows);
  let pages = 0;
  async function* counted() {
    for await (const page of listAllCalls(store, {})) {
      pages += 1;
      yield page;
    }
  }
  const stream = Readable.from(writeLines(counted(), CALL_COLUMNS, 'ndjson'), { objectMode: false });
  stream.setEncoding('utf8');
  await new Promise((resolve) => stream.once('readable', resolve));
  for (let turn = 0; turn < 200; turn += 1) await setImmediate();
  assert.ok(pages <= 2, `${pages} pages are read though nobody takes them`);
  const text = await readAll(stream);
  const ids = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: string }).id);
  assert.deepEqual(ids, rows.map(({ id }) => id).toReversed());
});
