import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderChart } from '../../../bench/report/chart.ts';
import { replaceRun } from '../../../bench/report/document.ts';
import { reportOf, resultsOf, roundOf } from '../results.ts';

const page = readFileSync(new URL('../../../docs/performance.md', import.meta.url), 'utf8');

test('the page of performance has a place for a run, which takes that of the one before', () => {
  const first = replaceRun(page, reportOf(resultsOf({ subjects: { nginx: [roundOf(11.5)] } })));
  assert.match(first, /A full run of 2026-01-01, commit `abc`/);
  assert.match(first, /^\| nginx +\| +11\.5 \|/m);
  const second = replaceRun(first, reportOf(resultsOf({ subjects: { nginx: [roundOf(22.5)] } })));
  assert.match(second, /^\| nginx +\| +22\.5 \|/m);
  assert.doesNotMatch(second, /11\.5/);
  assert.equal(second.split('\n')[0], '# Performance');
});

test('a page without a place is refused', () => {
  assert.throws(() => replaceRun('# Other', reportOf(resultsOf({}))), /no ".*" with/);
});

test('the chart has a bar for what was measured, as long as its figure', () => {
  const svg = renderChart(resultsOf({ subjects: { nginx: [roundOf(20)], fairlead: [roundOf(60)] } }));
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
  assert.deepEqual(widths, [160, 480]);
  assert.match(svg, />60\.0</);
  assert.doesNotMatch(svg, /Portkey|Streamed/);
});
