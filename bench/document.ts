/** `npm run bench:document`: writes the latest run of the bench into docs/performance.md and docs/performance.svg. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderChart } from './report/chart.ts';
import { replaceRun } from './report/document.ts';
import { readResults } from './report/results-file.ts';

const DOCS = join(import.meta.dirname, '../docs');
const PAGE = join(DOCS, 'performance.md');

const report = readResults();
writeFileSync(PAGE, replaceRun(readFileSync(PAGE, 'utf8'), report));
writeFileSync(join(DOCS, 'performance.svg'), renderChart(report.results));
