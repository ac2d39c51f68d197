import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statfsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makePackage } from '../scripts/build.ts';
import { LAUNCHER_VARIABLE } from './support/launcher.ts';
import { startPostgres } from './support/postgres-server.ts';
import { makeTemplate } from './support/postgres-template.ts';
import { listTestFiles } from './support/test-files.ts';

/**
 * Runs the tests: `node test/run.ts [--heavy] [FILE …]`. With `--heavy` the simulations, fuzzers, floods and the like
 * run at their full size instead of as a sample; they read it from `test/support/scale.ts`. Without files all are run, lint and
 * types are checked beside them, and they share one PostgreSQL server (`test/support/databases.ts`); files that are named start their own.
 */
const { values, positionals } = parseArgs({
  options: { heavy: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const CACHE = fileURLToPath(new URL('../node_modules/.cache/fairlead-tests', import.meta.url));
const files = positionals.length > 0 ? positionals : listTestFiles(join(CACHE, 'groups'));
/** Node's own time-outs end tests, not processes. */
const LIMIT_MS = (values.heavy ? 80 : 20) * 60_000;
/** Linux' folder in memory; in containers often of 64 MB. */
const MEMORY = '/dev/shm';
const MEMORY_NEEDED = 4 * 1024 ** 3;
Object.assign(process.env, memoryFolder());
const isWhole = positionals.length === 0;
const checking = isWhole ? check() : undefined;
const [postgres, launcher] = isWhole ? await Promise.all([preparePostgres(), buildPackage()]) : [];
const run = spawn(
  process.execPath,
  [
    '--test',
    // By itself the runner leaves one core unused; many tests wait for time to pass, and more files use that.
    `--test-concurrency=${availableParallelism() + 3}`,
    '--test-timeout=240000',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${new URL('support/slowest-files.ts', import.meta.url).href}`,
    '--test-reporter-destination=stdout',
    `--import=${new URL('support/end-of-file.ts', import.meta.url).href}`,
    ...files,
  ],
  {
    stdio: 'inherit',
    timeout: LIMIT_MS,
    env: {
      ...process.env,
      FAIRLEAD_TEST_SCALE: values.heavy ? 'heavy' : 'sample',
      // Each file is a process of its own that loads most of the code: without this, half of its time is compiling it again.
      NODE_COMPILE_CACHE: CACHE,
      ...describePostgres(),
      ...launcher,
    },
  },
);
const [status] = await once(run, 'exit');
if (postgres && 'remove' in postgres) await postgres.remove();
const checked = await checking;
if (checked) process.stdout.write(`\n${checked.output}`);
process.exitCode = typeof status === 'number' ? status || (checked?.status ?? 0) : 1;

/** Lint and types, beside the tests, which leave the machine time for it. Nothing of it is told before they are over. */
async function check(): Promise<{ status: number; output: string }> {
  const npm = spawn('npm', ['run', 'check'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output: string[] = [];
  for (const stream of [npm.stdout, npm.stderr])
    stream.setEncoding('utf8').on('data', (text) => output.push(text));
  const [code] = await once(npm, 'close');
  return { status: typeof code === 'number' ? code : 1, output: output.join('') };
}

async function preparePostgres() {
  const started = await startPostgres();
  if ('missing' in started) {
    const what = 'The tests run WITHOUT PostgreSQL, the suites that need it are skipped';
    process.stderr.write(`${what}: ${started.missing}\n`);
  } else await makeTemplate(started.url);
  return started;
}

/** Stores that tests write and throw away need no disk, PostgreSQL's neither: what a killed process wrote stays in memory as well. */
function memoryFolder(): Record<string, string> {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= MEMORY_NEEDED ? { TMPDIR: MEMORY } : {};
  } catch {
    // A system that has none.
    return {};
  }
}

/** What is published: tests that start the program start that. */
async function buildPackage(): Promise<Record<string, string>> {
  const folder = join(CACHE, 'package');
  await makePackage(folder);
  return { [LAUNCHER_VARIABLE]: join(folder, 'bin/fairlead.js') };
}

function describePostgres(): Record<string, string> {
  if (!postgres) return {};
  return 'url' in postgres
    ? { FAIRLEAD_TEST_POSTGRES_URL: postgres.url }
    : { FAIRLEAD_TEST_POSTGRES_MISSING: postgres.missing };
}
