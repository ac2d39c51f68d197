import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Report } from './report.ts';

const LATEST = join(import.meta.dirname, '../results/latest.json');

/** Keeps the report of the latest run. */
export function writeResults(report: Report): void {
  mkdirSync(dirname(LATEST), { recursive: true });
  writeFileSync(LATEST, `${JSON.stringify(report, null, 2)}\n`);
}

/** The report of the latest run. Throws where there is none, or one that an earlier version of the bench wrote. */
export function readResults(): Report {
  const report = JSON.parse(readFileSync(LATEST, 'utf8')) as Report;
  if (report.formatVersion !== 2) throw new Error(`${LATEST} is of another version: run the bench again`);
  return report;
}
