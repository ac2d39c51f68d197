import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Report } from './report.ts';

const LATEST = join(import.meta.dirname, '../results/latest.json');

const LATEST_FULL = join(import.meta.dirname, '../results/latest-full.json');

/** Keeps the report of the latest run, and of the latest one that was full. */
export function writeResults(report: Report): void {
  mkdirSync(dirname(LATEST), { recursive: true });
  const text = `${JSON.stringify(report, null, 2)}\n`;
  writeFileSync(LATEST, text);
  if (report.isFull) writeFileSync(LATEST_FULL, text);
}

/** The report of the latest full run. Throws where there is none, or one that an earlier version of the bench wrote. */
export function readResults(): Report {
  const report = JSON.parse(readFileSync(LATEST_FULL, 'utf8')) as Report;
  if (report.formatVersion !== 2)
    throw new Error(`${LATEST_FULL} is of another version: run the bench again`);
  return report;
}
