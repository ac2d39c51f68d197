/** The bench: starts everything, lets the subjects take turns, prints and writes what came out. See README.md. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePackage } from '../scripts/build.ts';
import { BUDGETS, checkBudgets, checkStarts, START_BUDGETS } from './budgets.ts';
import { type CpuPlan, planCpusHere } from './measure/cpus.ts';
import type { ScenarioResult } from './measure/results.ts';
import { type Entrant, measureScenario } from './measure/rounds.ts';
import { HELP, type Options, readOptions } from './options.ts';
import { stopAllProcesses } from './processes.ts';
import { describeEnvironment } from './report/environment.ts';
import { type Report, renderReport } from './report/report.ts';
import { SCENARIOS } from './scenarios.ts';
import { SUBJECTS } from './subjects/all.ts';
import { PACKAGE } from './subjects/fairlead.ts';
import type { Site, Subject } from './subjects/subject.ts';
import { BENCH_KEY, startTraffic } from './traffic/start.ts';

const RESULTS = join(import.meta.dirname, 'results');

async function runBench(options: Options, directory: string): Promise<Report> {
  const startedAt = new Date();
  await makePackage(PACKAGE);
  const cpus = planCpusHere();
  const scenarios = SCENARIOS.filter(
    ({ name, byNameOnly }) => options.scenarios?.includes(name) ?? byNameOnly !== true,
  );
  const subjects = SUBJECTS.filter(
    (subject) =>
      (options.subjects?.includes(subject.name) ?? true) &&
      scenarios.some(({ name }) => takesPart(subject, name)),
  );
  const traffic = await startTraffic(directory, cpus.traffic);
  const entrants = await startSubjects(subjects, directory, cpus, traffic.upstreamPort);
  const results: ScenarioResult[] = [];
  for (const scenario of scenarios) {
    const plan = {
      warmUps: scenario.warmUps,
      rounds: options.rounds,
      calls: scenario.calls[options.quick ? 'quick' : 'full'],
      onProgress: showProgress,
    };
    const own = entrants.filter((_, index) => {
      const subject = subjects[index];
      return subject !== undefined && takesPart(subject, scenario.name);
    });
    results.push(await measureScenario(scenario, own, traffic, plan));
  }
  const starts = entrants.flatMap(({ name, running }) =>
    running?.startMs === undefined ? [] : [{ subject: name, startMs: running.startMs }],
  );
  const versions = entrants.map(({ name, running }) => ({ name, version: running?.version ?? 'missing' }));
  return {
    formatVersion: 1,
    startedAt: startedAt.toISOString(),
    tookMs: Date.now() - startedAt.getTime(),
    environment: describeEnvironment(cpus, versions),
    starts,
    scenarios: results,
    budgets: checkBudgets(BUDGETS, results),
    startBudgets: checkStarts(
      START_BUDGETS,
      subjects.map(({ name }) => name),
      starts,
    ),
  };
}

function takesPart({ scenarios }: Subject, scenario: string): boolean {
  return scenarios?.includes(scenario) ?? true;
}

async function startSubjects(
  subjects: readonly Subject[],
  directory: string,
  cpus: CpuPlan,
  upstreamPort: number,
): Promise<Entrant[]> {
  const entrants: Entrant[] = [];
  for (const subject of subjects) {
    const site: Site = {
      upstreamPort,
      apiKey: BENCH_KEY,
      scenarios: SCENARIOS,
      directory: join(directory, subject.name),
      cpus: cpus.gateway,
      pairOfCpus: cpus.pair,
      trafficCpus: cpus.traffic,
    };
    mkdirSync(site.directory);
    entrants.push(await startSubject(subject, site));
  }
  return entrants;
}

async function startSubject(subject: Subject, site: Site): Promise<Entrant> {
  const { name } = subject;
  const missing = subject.findMissing?.();
  if (missing !== undefined) return { name, running: undefined, failure: missing };
  try {
    return { name, running: await subject.start(site), failure: undefined };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { name, running: undefined, failure: `could not be started: ${reason}` };
  }
}

/** Progress goes to stderr, so that stdout is the report alone. */
function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
}

function writeResults(report: Report): void {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, 'latest.json'), `${JSON.stringify(report, null, 2)}\n`);
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
  showProgress('');
  writeResults(report);
  console.log(options.json ? JSON.stringify(report, null, 2) : renderReport(report));
  return options.assert ? judgeBudgets(report) : 0;
}

/** Exit code of a run that has to keep its budgets. */
function judgeBudgets({ budgets, startBudgets }: Report): number {
  const outcomes = [...budgets, ...startBudgets];
  if (outcomes.length === 0) throw new Error('--assert finds no budget for what --only leaves');
  return outcomes.every(({ met }) => met) ? 0 : 1;
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
