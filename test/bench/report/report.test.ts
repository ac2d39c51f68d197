import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Round, SubjectResult } from '../../../bench/measure/results.ts';
import { type Report, renderReport } from '../../../bench/report/report.ts';

function roundOf(cpuUs: number | undefined, busy: number | undefined): Round {
  return {
    calls: 100,
    units: 100,
    wallMs: 10,
    readsPerUnit: 1,
    userUsPerUnit: cpuUs,
    systemUsPerUnit: cpuUs === undefined ? undefined : 0,
    busy: { subject: busy, upstream: 0.3, load: 0.2 },
  };
}

function reportOf(subjects: SubjectResult[]): Report {
  const spread = { median: 3, min: 2.5, max: 3.25 };
  return {
    formatVersion: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
    tookMs: 1,
    environment: {
      cpu: '2 × test CPU',
      cpuCount: 2,
      memoryGb: 4,
      kernel: '6.1',
      node: '26.0.0',
      commit: undefined,
      loadAverage: 0,
      cpus: { gateway: '0', traffic: '1', pair: '0,1', description: 'gateway on CPU 0' },
      subjects: [{ name: 'nginx', version: '1.22.1' }],
    },
    starts: [{ subject: 'fairlead', startMs: 2_345 }],
    scenarios: [
      {
        scenario: 'call-1kb',
        title: '1 KB call',
        per: 'call',
        subjects,
        ratios: [{ subject: 'fairlead', against: 'nginx', spread }],
      },
    ],
    budgets: [
      { scenario: 'call-1kb', subject: 'fairlead', against: 'nginx', maxRatio: 4, ratio: 3, met: true },
    ],
    moreBudgets: [
      { scenario: 'prompt', subject: 'prompt', against: 'fairlead', maxUs: 150, moreUs: 108.4, met: true },
    ],
    startBudgets: [{ subject: 'fairlead', maxMs: 2_000, startMs: 2_345, met: false }],
  };
}

function rowOf(report: string, subject: string): string[] {
  const line = report.split('\n').find((row) => row.startsWith(`| ${subject} `)) ?? '';
  return line.split('|').map((cell) => cell.trim());
}

test('a row has the median cost, and the ratio to nginx with its range', () => {
  const rounds = [roundOf(60, 1), roundOf(54, 1), roundOf(90, 1)];
  const row = rowOf(
    renderReport(reportOf([{ subject: 'fairlead', rounds, failure: undefined }])),
    'fairlead',
  );
  assert.equal(row[2], '60.0');
  assert.equal(row[5], '3.00 (2.50..3.25)');
  assert.equal(row[6], '10,000');
});

test('how long a subject took to start has a line', () => {
  const text = renderReport(
    reportOf([{ subject: 'fairlead', rounds: [roundOf(60, 1)], failure: undefined }]),
  );
  assert.match(text, /^Start: fairlead took traffic after 2\.3[45] s\.$/m);
  assert.match(text, /^Budget start, fairlead ≤ 2 s: 2\.3[45] s, NOT MET$/m);
});

test('the rate of a subject that was waiting for the load is marked as a lower bound', () => {
  const rounds = [roundOf(18, 0.7)];
  const row = rowOf(renderReport(reportOf([{ subject: 'nginx', rounds, failure: undefined }])), 'nginx');
  assert.equal(row[6], '10,000*');
});

test('the bare connection has a rate and no cost', () => {
  const rounds = [roundOf(undefined, undefined)];
  const row = rowOf(renderReport(reportOf([{ subject: 'direct', rounds, failure: undefined }])), 'direct');
  assert.deepEqual([row[2], row[5], row[6], row[8]], ['–', '–', '10,000', '–']);
});

test('a subject that is missing has no row, and a line that says what to do', () => {
  const failure = 'nginx is not installed: apt-get install nginx-light';
  const text = renderReport(reportOf([{ subject: 'nginx', rounds: [], failure }]));
  assert.deepEqual(rowOf(text, 'nginx'), ['']);
  assert.match(text, /Not measured: nginx: nginx is not installed: apt-get install nginx-light/);
});

test('every budget is named with what was found', () => {
  const text = renderReport(reportOf([]));
  assert.match(text, /Budget call-1kb, fairlead \/ nginx ≤ 4: 3\.00, met$/m);
  assert.match(text, /Budget prompt, prompt − fairlead ≤ 150 µs: 108 µs, met$/m);
});
