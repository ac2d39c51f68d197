/** `npm run bench:sizing`: what a call takes of the gateway, Redis and PostgreSQL, and writes that into docs/scaling.md. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePackage } from '../scripts/build.ts';
import { planCpusHere } from './measure/cpus.ts';
import { measureSizing } from './measure/sizing.ts';
import { stopAllProcesses } from './processes.ts';
import { replaceBetween } from './report/between-marks.ts';
import { renderSizing } from './report/sizing.ts';
import { SCENARIOS } from './scenarios.ts';
import { PACKAGE } from './subjects/fairlead.ts';
import { BENCH_KEY, startTraffic } from './traffic/start.ts';

const PAGE = join(import.meta.dirname, '../docs/scaling.md');
const MARKS = [
  '<!-- What follows is written by `npm run bench:sizing`. -->',
  '<!-- It ends here. -->',
] as const;

const directory = mkdtempSync(join(tmpdir(), 'fairlead-sizing-'));
try {
  await makePackage(PACKAGE);
  const cpus = planCpusHere();
  const traffic = await startTraffic(directory, cpus.traffic);
  const scenario = SCENARIOS.find(({ name }) => name === 'call-1kb');
  if (scenario?.measure !== 'cpu') throw new Error('there is no scenario of calls');
  const site = {
    upstreamPort: traffic.upstreamPort,
    apiKey: BENCH_KEY,
    scenarios: SCENARIOS,
    directory: join(directory, 'gateway'),
    nodeFlags: [],
    cpus: cpus.gateway,
    pairOfCpus: cpus.pair,
    trafficCpus: cpus.traffic,
  };
  const sizing = await measureSizing({ scenario, site, traffic, warmUpCalls: 100_000, calls: 200_000 });
  const table = renderSizing(sizing);
  console.log(table);
  writeFileSync(PAGE, replaceBetween(readFileSync(PAGE, 'utf8'), MARKS, table));
} finally {
  await stopAllProcesses();
  rmSync(directory, { recursive: true, force: true });
}
