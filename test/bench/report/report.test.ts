import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeForHistory } from '../../../bench/report/history.ts';
import { renderReport } from '../../../bench/report/report.ts';
import { latencyOf, reportOf, resultsOf, roundOf } from '../results.ts';

const SPREAD = { median: 3, min: 2.5, max: 3.25 };

function rowOf(report: string, subject: string): string[] {
  const line = report.split('\n').find((row) => row.startsWith(`| ${subject} `)) ?? '';
  return line.split('|').map((cell) => cell.trim());
}

test('a row has the median cost, what is allocated, and the ratio to nginx with its range', () => {
  const rounds = [60, 54, 90].map((cpuUs) => roundOf(cpuUs, { allocatedBytesPerUnit: 2_048 }));
  const ratios = [{ subject: 'fairlead', against: 'nginx', spread: SPREAD }];
  const results = resultsOf({ subjects: { nginx: [roundOf(20)], fairlead: rounds }, ratios });
  const row = rowOf(renderReport(reportOf(results)), 'fairlead');
  assert.equal(row[2], '60.0');
  assert.equal(row[5], '3.00 (2.50..3.25)');
  assert.equal(row[6], '10,000');
  assert.equal(row[8], '2.00');
});

test('the rate of a subject that was waiting for the load is marked as a lower bound', () => {
  const rounds = [roundOf(18, { busy: { subject: 0.7, upstream: 0.3, load: 0.2 } })];
  const row = rowOf(renderReport(reportOf(resultsOf({ subjects: { nginx: rounds } }))), 'nginx');
  assert.equal(row[6], '10,000*');
});

test('the bare connection has a rate and no cost', () => {
  const rounds = [roundOf(undefined, { busy: { subject: undefined, upstream: 0.3, load: 0.2 } })];
  const row = rowOf(renderReport(reportOf(resultsOf({ subjects: { direct: rounds } }))), 'direct');
  assert.deepEqual([row[2], row[5], row[6], row[9]], ['–', '–', '10,000', '–']);
});

test('where several processes worked, each one’s part is told', () => {
  const rounds = [roundOf(60, { shares: [0.52, 0.48] })];
  const row = rowOf(renderReport(reportOf(resultsOf({ subjects: { two: rounds } }))), 'two');
  assert.equal(row[9], '100 % (52 : 48)');
});

test('a row of latencies has what is added to the bare connection', () => {
  const latencies = [latencyOf('latency-1000', { direct: [0.5, 0.5], fairlead: [0.75, 0.85] })];
  const row = rowOf(renderReport(reportOf({ ...resultsOf({}), latencies })), 'fairlead');
  assert.deepEqual(row.slice(2, 9), ['0.80', '1.60', '2.40', '0.30', '0.60', '0.90', '20']);
});

test('a row of a fresh process has its start, its memory at rest and a stream’s part of each step', () => {
  const open = [{ streams: 1_000, memoryMb: 100, kbPerStream: 20.48 }];
  const subject = { subject: 'fairlead', startsMs: [300, 900, 350], idleMb: 80, open, failure: undefined };
  const fresh = [{ scenario: 'fresh', title: 'Fresh', subjects: [subject] }];
  const row = rowOf(renderReport(reportOf({ ...resultsOf({}), fresh })), 'fairlead');
  assert.deepEqual(row.slice(2, 6), ['350', '80.0', '100.0', '20.5']);
});

test('a subject that is missing has no row, and a line that says what to do', () => {
  const failure = 'nginx is not installed: apt-get install nginx-light';
  const results = resultsOf({});
  results.scenarios[0]?.subjects.push({ subject: 'nginx', rounds: [], failure });
  const text = renderReport(reportOf(results));
  assert.deepEqual(rowOf(text, 'nginx'), ['']);
  assert.match(text, /Not measured: nginx in call-1kb: nginx is not installed: apt-get install nginx-light/);
});

test('every budget is named with what was found', () => {
  const lines = renderReport(reportOf(resultsOf({})))
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' '));
  assert.ok(lines.includes('| call-1kb | fairlead / nginx: CPU | ≤ 4 | 3.00 | met |'));
  assert.ok(lines.includes('| fresh | fairlead: start, ms | ≤ 375 | 412 | NOT MET |'));
  assert.ok(lines.includes('| fresh | fairlead: memory at rest, MB | ≤ 90 | – | not measured |'));
});

test('a line of the history has ratios and allocations, and no times of this machine', () => {
  const ratioOf = (subject: string, against: string, median: number) => {
    return { subject, against, spread: { ...SPREAD, median } };
  };
  const results = resultsOf({
    subjects: { nginx: [roundOf(20)], fairlead: [roundOf(60, { allocatedBytesPerUnit: 27_123.4 })] },
    ratios: [ratioOf('fairlead', 'nginx', 3.012345), ratioOf('nginx', 'fairlead', 0.33)],
  });
  assert.deepEqual(describeForHistory(reportOf(results)), {
    date: '2026-01-01',
    commit: 'abc',
    node: '26.0.0',
    cpuRatios: { 'call-1kb': { 'fairlead/nginx': 3.012 } },
    allocatedBytes: { 'call-1kb': 27_120 },
    memory: {},
  });
});
