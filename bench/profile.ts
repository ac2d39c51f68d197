/** `npm run bench:profile [SCENARIO]`: where the CPU time of a call (`call-1kb`) or of another scenario's goes, as a flame graph in bench/profile.svg. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makePackage } from '../scripts/build.ts';
import { planCpusHere } from './measure/cpus.ts';
import { readOptions } from './options.ts';
import { stopAllProcesses } from './processes.ts';
import { type CpuProfile, renderFlameGraph } from './report/flame-graph.ts';
import { measureAll } from './run.ts';
import { fairlead, PACKAGE } from './subjects/fairlead.ts';

const [scenario = 'call-1kb'] = process.argv.slice(2);
const directory = mkdtempSync(join(tmpdir(), 'fairlead-profile-'));
try {
  await makePackage(PACKAGE);
  const options = readOptions(['--rounds', '1', '--only', `${scenario},${fairlead.name}`]);
  const nodeFlags = ['--cpu-prof', `--cpu-prof-dir=${join(directory, 'profiles')}`];
  await measureAll(options, directory, planCpusHere(), nodeFlags);
  await stopAllProcesses();
  const [file] = readdirSync(join(directory, 'profiles'));
  if (file === undefined) throw new Error('the gateway wrote no profile');
  const profile = JSON.parse(readFileSync(join(directory, 'profiles', file), 'utf8')) as CpuProfile;
  writeFileSync(join(import.meta.dirname, 'profile.svg'), renderFlameGraph(profile));
} finally {
  await stopAllProcesses();
  rmSync(directory, { recursive: true, force: true });
}
