import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * How many files share a process. Loading the gateway takes 0.8 s of CPU, the SDKs more: as long as most files' tests. Of more files the last
 * groups would keep one core busy when the other has nothing left.
 */
const SHARING = 20;

/** It awaits the databases at its top level. */
const AWAITED = 'support/databases.ts';

/** What is one for a process is theirs alone (its memory, its signals), they start many servers as they are loaded, or they are long. */
const ALONE = new Set([
  'test/faults/faults.test.ts',
  'test/fuzz/doors.test.ts',
  'test/gateway/decompression.test.ts',
  'test/gateway/failures.test.ts',
  'test/gateway/one-of-two.test.ts',
  'test/http/long-lists.test.ts',
  'test/http/process.test.ts',
  'test/media/multipart-doors.test.ts',
  'test/prompts/generated-client.test.ts',
  'test/quotas/killed.test.ts',
  'test/quotas/race.test.ts',
  'test/rollouts/kills.test.ts',
  'test/rollouts/upgrades.test.ts',
  'test/routing/shared-health.test.ts',
  'test/scripts/operations.test.ts',
  'test/sdk/ai-sdk.test.ts',
  'test/sdk/depth.test.ts',
  'test/sdk/matrix/matrix.test.ts',
  'test/sdk/openai/failures.test.ts',
  'test/sdk/packet-cuts.test.ts',
  'test/usage/kill.test.ts',
  'test/workers/workers.test.ts',
]);

/** Their groups take the longest: much in them waits for time to pass. */
const LONG = ['rollouts', 'gateway', 'quotas'];

/**
 * Every entry is a process of its own. Starting it often takes longer than the tests, so that files share one: a module that loads
 * them, written to `cache`. Neighbours do, as they load the same.
 *
 * @returns paths for `node --test`, which begins them in the order of their names
 */
export function listTestFiles(cache: string): string[] {
  const files = globSync('test/**/*.test.ts')
    .map((file) => file.replaceAll(sep, '/'))
    .toSorted();
  const sharing = files.filter((file) => !ALONE.has(file));
  const groups = Array.from({ length: Math.ceil(sharing.length / SHARING) }, (_, index) =>
    sharing.slice(index * SHARING, (index + 1) * SHARING),
  );
  const isLong = (group: readonly string[]) => group.some((file) => LONG.includes(folderOf(file)));
  // Whatever is long begins early, so that nothing long is left for the end.
  const inOrder = [
    ...groups.filter(isLong),
    ...files.filter((file) => ALONE.has(file)).map((file) => [file]),
    ...groups.filter((group) => !isLong(group)),
  ];
  mkdirSync(cache, { recursive: true });
  return inOrder.map((group, index) => writeGroup(cache, index, group));
}

function folderOf(file: string): string {
  return file.split('/')[1]?.replace('.test.ts', '') ?? '';
}

function nameOf(file: string): string {
  return file.replace('test/', '').replace('.test.ts', '').replaceAll('/', '-');
}

/**
 * Each file is a suite: its hooks are its own, and no test runs before all are loaded. What all of them wait for as it is loaded comes
 * first: whoever waits for a module that another suite has asked for is told to the runner as a part of that suite. A file that is alone is none.
 */
function writeGroup(cache: string, index: number, files: readonly string[]): string {
  const isAlone = files.length === 1;
  const name = [...new Set(isAlone ? files.map(nameOf) : files.map(folderOf))].join('-');
  const path = join(cache, `${String(index).padStart(2, '0')}-${name}.mjs`);
  const urlOf = (file: string) => JSON.stringify(pathToFileURL(resolve(file)).href);
  if (isAlone) {
    writeFileSync(path, files.map((file) => `import ${urlOf(file)};\n`).join(''));
    return path;
  }
  const isAwaited = files.some((file) => readFileSync(file, 'utf8').includes(AWAITED));
  writeFileSync(
    path,
    [
      `import { describe } from 'node:test';\n`,
      ...(isAwaited ? [`import ${urlOf(`test/${AWAITED}`)};\n`] : []),
      ...files.map((file) => `describe(${JSON.stringify(file)}, () => import(${urlOf(file)}));\n`),
    ].join(''),
  );
  return path;
}
