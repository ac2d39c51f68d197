import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import {
  readJournal,
  type StartedCall,
  writeHead,
  writeRecordLine,
  writeStartLine,
} from '../../src/usage/journal-lines.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { anyText, anyWords } from '../support/any-text.ts';
import { anyRecord, anyRollout, makeRecord } from '../support/usage-records.ts';

const anyName = fc.oneof(fc.constantFrom('acme', 'smart', 'übung/模型'), anyWords());

const anyStart: fc.Arbitrary<StartedCall> = fc.record(
  {
    id: fc.uuid(),
    startedAt: fc.integer({ min: 0, max: 2 ** 45 }),
    tenant: fc.option(anyName),
    key: fc.option(anyName),
    dialect: fc.constantFrom('chat', 'responses', 'messages', 'gemini'),
    operation: fc.constantFrom('generate', 'embed', 'count', 'file'),
    model: fc.option(anyName),
    target: anyName,
    account: anyName,
    stream: fc.boolean(),
    reservedInput: fc.option(fc.nat()),
    reservedOutput: fc.nat(),
    reservedCostMicroUsd: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true })),
    countedAlone: fc.boolean(),
    tier: fc.constantFrom('priority', 'fast+us'),
    prompt: fc.constantFrom('support/triage', 'sum@3'),
  },
  {
    noNullPrototype: true,
    requiredKeys: [
      ...['id', 'startedAt', 'tenant', 'key', 'dialect', 'operation', 'model', 'target', 'account', 'stream'],
      ...['reservedInput', 'reservedOutput', 'reservedCostMicroUsd', 'countedAlone'],
    ] as const,
  },
);

const rounded = (ms: number) => Math.round(ms * 1000) / 1000;

/** A record as the journal gives it back: in whole microseconds. JSON has no −0. */
function inMicroseconds(record: UsageRecord): UsageRecord {
  return {
    ...record,
    latencyMs: rounded(record.latencyMs) + 0,
    firstTokenMs: record.firstTokenMs === null ? null : rounded(record.firstTokenMs) + 0,
    attempts: record.attempts.map((attempt) => ({
      ...attempt,
      startedAfterMs: rounded(attempt.startedAfterMs) + 0,
      durationMs: rounded(attempt.durationMs) + 0,
    })),
  };
}

type Fact = { start: StartedCall } | { record: UsageRecord };
const anyFact: fc.Arbitrary<Fact> = fc.oneof(
  anyStart.map((start) => ({ start })),
  fc
    .tuple(anyRecord, fc.option(anyRollout, { nil: undefined }))
    .map(([record, rollout]) => ({ record: { ...record, ...(rollout && { rollout }) } })),
);
const anyFacts = fc.uniqueArray(anyFact, { selector: idOf, maxLength: 12 });

function idOf(fact: Fact): string {
  return 'start' in fact ? fact.start.id : fact.record.id;
}

function writeFact(fact: Fact): string {
  return 'start' in fact ? writeStartLine(fact.start) : writeRecordLine(fact.record);
}

test('what is written is read back, in order', () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const content = readJournal(Buffer.from(facts.map(writeFact).join('')));
      const records = facts.flatMap((fact) => ('record' in fact ? [inMicroseconds(fact.record)] : []));
      const started = facts.flatMap((fact) => ('start' in fact ? [fact.start] : []));
      assert.deepEqual(content.records, records);
      const positive = started.map((start) => ({
        ...start,
        reservedCostMicroUsd: start.reservedCostMicroUsd === null ? null : start.reservedCostMicroUsd + 0,
      }));
      assert.deepEqual([...content.started.values()], positive);
      assert.deepEqual([content.torn, content.damagedLines], [false, 0]);
    }),
  );
});

test('the lines are JSON as `JSON.stringify` writes it, whatever a call is named and comes to', () => {
  const anyOddRecord = fc
    .tuple(anyRecord, anyText, anyText, anyText, fc.double(), fc.double())
    .map(([record, id, model, target, latencyMs, output]): UsageRecord => {
      const attempt = { target, account: model, startedAfterMs: 0, durationMs: latencyMs, status: null };
      const attempts = [...record.attempts, { ...attempt, outcome: record.outcome, dropped: [id] }];
      return { ...record, id, model, target, latencyMs, usage: { ...NO_USAGE, output }, attempts };
    });
  fc.assert(
    fc.property(anyOddRecord, anyStart, anyText, (record, start, account) => {
      for (const line of [writeRecordLine(record), writeStartLine({ ...start, account })]) {
        const [, length, json = ''] = /^(\d+)[rs](.*)\n$/s.exec(line) ?? [];
        assert.equal(json.length, Number(length));
        assert.equal(JSON.stringify(JSON.parse(json)), json);
      }
    }),
  );
});

test('a record is the same with the head of its start', () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const call = {
        target: 'echo/echo',
        account: 'main',
        reservedInput: 3,
        reservedOutput: 4,
        reservedCostMicroUsd: null,
      };
      const head = writeHead({ ...record, ...call });
      assert.equal(writeRecordLine(record, head), writeRecordLine(record));
    }),
  );
});

test('a file that is cut at any byte loses at most the line that the cut is in', () => {
  fc.assert(
    fc.property(anyFacts, fc.double({ min: 0, max: 1, noNaN: true }), (facts, share) => {
      const lines = facts.map(writeFact);
      const bytes = Buffer.from(lines.join(''));
      const cut = Math.floor(bytes.length * share);
      const content = readJournal(bytes.subarray(0, cut));
      let whole = 0;
      let end = 0;
      // A line without its line break is whole.
      for (const line of lines) {
        end += Buffer.byteLength(line);
        if (end - 1 <= cut) whole += 1;
      }
      const found = [...content.started.keys(), ...content.records.map(({ id }) => id)];
      assert.deepEqual(new Set(found), new Set(facts.slice(0, whole).map(idOf)));
      assert.equal(content.damagedLines, 0);
    }),
  );
});

test('a line that was damaged in the middle of the file is told, and costs no other', () => {
  const records = [makeRecord(), makeRecord(), makeRecord()];
  const [first = '', second = '', third = ''] = records.map((record) => writeRecordLine(record));
  for (const damaged of ['\0'.repeat(second.length), second.slice(0, 40), second.slice(7)]) {
    const content = readJournal(Buffer.from(`${first}${damaged}\n${third}`));
    assert.deepEqual(
      content.records.map(({ id }) => id),
      [records[0]?.id, records[2]?.id],
    );
    assert.equal(content.damagedLines > 0, true);
  }
});

test('a call that has its record is not under way, and numbers that no JSON can hold do not lose it', () => {
  const record = makeRecord({ usage: { ...NO_USAGE, input: Number.POSITIVE_INFINITY, output: 3 } });
  const start: StartedCall = {
    ...{ id: record.id, startedAt: record.startedAt, tenant: 'acme', key: 'app', dialect: 'chat' },
    ...{ operation: 'generate', model: 'smart', target: 'openai/gpt-4.1', account: 'main', stream: false },
    ...{ reservedInput: 10, reservedOutput: 20, reservedCostMicroUsd: null, countedAlone: false },
  };
  const content = readJournal(Buffer.from(writeStartLine(start) + writeRecordLine(record)));
  assert.equal(content.started.size, 0);
  assert.deepEqual(content.records[0]?.usage, { ...NO_USAGE, output: 3 });
});

const OLDER = [
  '019c-older',
  5,
  'acme',
  'app',
  'chat',
  'generate',
  'smart',
  'openai/gpt',
  'main',
  1,
  12,
] as const;

for (const [what, fields, reservedOutput] of [
  ['no output', [...OLDER, 3.5], 0],
  ['not who counted the call', [...OLDER, 70, 3.5], 70],
] as const) {
  test(`a start line of a build that noted ${what} is read: an upgrade after a kill loses no call`, () => {
    const json = JSON.stringify(fields);
    const content = readJournal(Buffer.from(`${json.length}s${json}\n`));
    assert.equal(content.damagedLines, 0);
    const call = { id: '019c-older', startedAt: 5, tenant: 'acme', key: 'app', dialect: 'chat' };
    const asked = {
      operation: 'generate',
      model: 'smart',
      target: 'openai/gpt',
      account: 'main',
      stream: true,
    };
    const reserved = { reservedInput: 12, reservedOutput, reservedCostMicroUsd: 3.5, countedAlone: false };
    assert.deepEqual([...content.started.values()], [{ ...call, ...asked, ...reserved }]);
  });
}
