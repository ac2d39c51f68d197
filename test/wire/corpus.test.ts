import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipWithoutWire, wireNames } from '../support/wire.ts';
import { OTHER_EXCHANGES, OTHER_RECORDINGS, sortEverything } from './corpus.ts';

const options = { skip: skipWithoutWire };
const lines = sortEverything();

test('every line of every file is a call that the tests cross, or is listed with what it is', options, () => {
  const files = [
    ...wireNames('exchanges').map((name) => `exchanges/${name}`),
    ...wireNames('streams').map((name) => `streams/${name}`),
  ];
  assert.deepEqual([...new Set(lines.map(({ file }) => file))].sort(), files.sort());
  assert.deepEqual(
    lines.filter(({ sorted }) => sorted === undefined).map(({ file, id }) => `${file} ${id}`),
    [],
  );
  const used = new Set(lines.map(({ sorted }) => sorted));
  assert.deepEqual(
    [...OTHER_EXCHANGES, ...OTHER_RECORDINGS].filter(({ sorted }) => !used.has(sorted)).map(({ of }) => of),
    [],
  );
});

test(
  'every call that is recorded holds a request or an answer, in each of the five dialects',
  options,
  (t) => {
    const calls = lines.flatMap(({ sorted }) => (sorted?.kind === 'call' ? sorted.calls : []));
    for (const { file, id, request, answer, messages, refusal } of calls) {
      assert.ok(request ?? answer ?? messages ?? refusal, `${file} ${id}`);
      assert.ok(answer ?? messages ?? refusal, `${file} ${id} has no answer`);
    }
    const counts = Map.groupBy(calls, ({ dialect }) => dialect);
    for (const [dialect, { length }] of counts) t.diagnostic(`${dialect}: ${length}`);
    assert.deepEqual([...counts.keys()].sort(), ['chat', 'converse', 'gemini', 'messages', 'responses']);
  },
);
