import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CpuPlan } from './measure/cpus.ts';
import { measureFresh } from './measure/fresh.ts';
import { measureLatency } from './measure/latency.ts';
import type { Results } from './measure/results.ts';
import { measureScenario } from './measure/rounds.ts';
import type { Entrant } from './measure/turns.ts';
import type { Options } from './options.ts';
import { EVERYBODY, SCENARIOS, type Scenario } from './scenarios.ts';
import { SUBJECTS } from './subjects/all.ts';
import type { RunningSubject, Site, Subject } from './subjects/subject.ts';
import { BENCH_KEY, startTraffic, type Traffic } from './traffic/start.ts';

interface Measured {
  results: Results;
  versions: { name: string; version: string }[];
}

/** What the measuring of one scenario needs. */
interface Run {
  options: Options;
  traffic: Traffic;
  /** Subjects that were started for it, or could not be. */
  entrantsOf(scenario: Scenario): Promise<Entrant[]>;
  /** Starts a subject once more, with what it had made. */
  startAgain(subject: Subject): Promise<RunningSubject>;
}

/** Measures every scenario that the options leave, one after another. */
export async function measureAll(
  options: Options,
  directory: string,
  cpus: CpuPlan,
  nodeFlags: readonly string[] = [],
): Promise<Measured> {
  const traffic = await startTraffic(directory, cpus.traffic);
  const { upstreamPort } = traffic;
  const started = new Map<Subject, Entrant>();
  const versions = new Map<string, string>();
  const start = async (subject: Subject, folder: string) => {
    versions.set(subject.name, 'missing');
    const site = { ...makeSite(join(directory, folder), cpus, upstreamPort), nodeFlags };
    const running = await subject.start(site);
    versions.set(subject.name, running.version);
    return running;
  };
  const run: Run = {
    options,
    traffic,
    async entrantsOf(scenario) {
      const entrants: Entrant[] = [];
      for (const subject of listSubjects(scenario, options)) {
        const entrant = started.get(subject) ?? (await startEntrant(subject, start));
        started.set(subject, entrant);
        entrants.push(entrant);
      }
      return entrants;
    },
    startAgain: (subject) => start(subject, `${subject.name}-fresh`),
  };
  const results: Results = { scenarios: [], latencies: [], fresh: [], starts: [] };
  for (const scenario of listScenarios(options)) await measure(scenario, run, results);
  showProgress('');
  for (const { subject, running } of started.values()) {
    const startMs = running?.startMs;
    if (startMs !== undefined) results.starts.push({ subject: subject.name, startMs });
  }
  return { results, versions: [...versions].map(([name, version]) => ({ name, version })) };
}

async function measure(scenario: Scenario, run: Run, results: Results): Promise<void> {
  const { options, traffic } = run;
  const length = options.quick ? 'quick' : 'full';
  const plan = {
    scenario: scenario.name,
    rounds: options.rounds,
    onProgress: showProgress,
  };
  switch (scenario.measure) {
    case 'cpu': {
      const calls = scenario.calls[length];
      const warmUps = Math.ceil(scenario.warmUpCalls[length] / calls);
      const entrants = await run.entrantsOf(scenario);
      results.scenarios.push(await measureScenario(scenario, entrants, traffic, { ...plan, warmUps, calls }));
      return;
    }
    case 'latency': {
      const seconds = scenario.roundSeconds[length];
      // They are in their steady state where calls were measured before.
      const warmUps = results.scenarios.length === 0 ? 1 : 0;
      const entrants = await run.entrantsOf(scenario);
      results.latencies.push(
        await measureLatency(scenario, entrants, traffic, { ...plan, warmUps, seconds }),
      );
      return;
    }
    case 'fresh':
      results.fresh.push(
        await measureFresh(scenario, listSubjects(scenario, options), traffic, {
          ...plan,
          starts: scenario.starts[length],
          openStreams: scenario.openStreams[length],
          start: run.startAgain,
        }),
      );
  }
}

/** Those that are asked for by name; else all that this length of run has. */
function listScenarios({ scenarios, quick }: Options): Scenario[] {
  const isLeftOut = ({ byNameOnly }: Scenario) => byNameOnly === true || (quick && byNameOnly === 'quick');
  return SCENARIOS.filter((scenario) => scenarios?.includes(scenario.name) ?? !isLeftOut(scenario));
}

function listSubjects({ subjects = EVERYBODY }: Scenario, options: Options): Subject[] {
  return SUBJECTS.filter(
    ({ name, isOptional, findMissing }) =>
      subjects.includes(name) &&
      (options.subjects?.includes(name) ?? (isOptional !== true || findMissing?.() === undefined)),
  );
}

function makeSite(directory: string, cpus: CpuPlan, upstreamPort: number): Omit<Site, 'nodeFlags'> {
  mkdirSync(directory, { recursive: true });
  return {
    upstreamPort,
    apiKey: BENCH_KEY,
    scenarios: SCENARIOS,
    directory,
    cpus: cpus.gateway,
    pairOfCpus: cpus.pair,
    trafficCpus: cpus.traffic,
  };
}

async function startEntrant(
  subject: Subject,
  start: (subject: Subject, folder: string) => Promise<RunningSubject>,
): Promise<Entrant> {
  const missing = subject.findMissing?.();
  if (missing !== undefined) return { subject, running: undefined, failure: missing };
  showProgress(`starting ${subject.name}`);
  try {
    return { subject, running: await start(subject, subject.name), failure: undefined };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { subject, running: undefined, failure: `could not be started: ${reason}` };
  }
}

/** Progress goes to stderr, so that stdout is the report alone. */
function showProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
}
