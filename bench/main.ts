/** The bench: starts everything, lets the subjects take turns, prints and writes what came out. See README.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePackage } from '../scripts/build.ts';
import { BUDGETS, checkBudgets } from './budgets.ts';
import { planCpusHere } from './measure/cpus.ts';
import { HELP, type Options, readOptions } from './options.ts';
import { stopAllProcesses } from './processes.ts';
import { describeEnvironment, readLoad } from './report/environment.ts';
import { appendToHistory } from './report/history.ts';
import { type Report, renderReport } from './report/report.ts';
import { writeResults } from './report/results-file.ts';
import { measureAll } from './run.ts';
import { PACKAGE } from './subjects/fairlead.ts';

async function runBench(options: Options, directory: string): Promise<Report> {
  const startedAt = new Date();
  const load = readLoad();
  await makePackage(PACKAGE);
  const cpus = planCpusHere();
  const { results, versions } = await measureAll(options, directory, cpus);
  return {
    formatVersion: 2,
    startedAt: startedAt.toISOString(),
    tookMs: Date.now() - startedAt.getTime(),
    isFull: options.isFull,
    environment: describeEnvironment(cpus, versions, load),
    results,
    budgets: checkBudgets(BUDGETS, results),
  };
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  if (process.platform !== 'linux') throw new Error('the bench needs Linux: it reads CPU time from /proc');
  const directory = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const report = await runBench(options, directory);
  writeResults(report);
  if (report.isFull) appendToHistory(report);
  console.log(options.json ? JSON.stringify(report, null, 2) : renderReport(report));
  return options.assert ? judgeBudgets(report) : 0;
}

/** Exit code of a run that has to keep its budgets. */
function judgeBudgets({ budgets }: Report): number {
  if (budgets.length === 0) throw new Error('--assert finds no budget for what --only leaves');
  return budgets.every(({ met }) => met) ? 0 : 1;
}

process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await stopAllProcesses();
}
