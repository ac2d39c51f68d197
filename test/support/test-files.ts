import { globSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** How many files of a folder share a process, by how long they take. What is not here has a process for each file. */
const SHARING: Readonly<Record<string, number>> = {
  // Short, and nothing but the modules that they test.
  bench: Number.POSITIVE_INFINITY,
  config: Number.POSITIVE_INFINITY,
  conversation: Number.POSITIVE_INFINITY,
  dialects: Number.POSITIVE_INFINITY,
  support: Number.POSITIVE_INFINITY,
  tenants: Number.POSITIVE_INFINITY,
  tokens: Number.POSITIVE_INFINITY,
  upstream: Number.POSITIVE_INFINITY,
  wire: Number.POSITIVE_INFINITY,
  // With a gateway, and waits. Loading all of it and the SDKs takes as long as many of them.
  captures: 4,
  clients: 4,
  control: 4,
  gateway: 8,
  http: 8,
  lifecycle: 4,
  media: 4,
  overload: 4,
  prompts: 6,
  providers: 8,
  quotas: 4,
  rollouts: 6,
  routing: 8,
  sdk: 8,
  store: 4,
  telemetry: 4,
  usage: 4,
  webhooks: 4,
};

/** What is one for a process is theirs alone (its memory, its signals), or they are long. */
const ALONE = new Set([
  'test/gateway/decompression.test.ts',
  'test/gateway/discovery.test.ts',
  'test/gateway/failures.test.ts',
  'test/gateway/hedging.test.ts',
  'test/gateway/one-of-two.test.ts',
  'test/gateway/outages.test.ts',
  'test/gateway/relay.test.ts',
  'test/gateway/stream-commit.test.ts',
  'test/http/long-lists.test.ts',
  'test/http/process.test.ts',
  'test/media/multipart-doors.test.ts',
  'test/prompts/generated-client.test.ts',
  'test/quotas/killed.test.ts',
  'test/quotas/race.test.ts',
  'test/rollouts/hedged-candidates.test.ts',
  'test/rollouts/kills.test.ts',
  'test/rollouts/simulations.test.ts',
  'test/rollouts/upgrades.test.ts',
  'test/routing/shared-health.test.ts',
  'test/sdk/ai-sdk.test.ts',
  'test/sdk/depth.test.ts',
  'test/sdk/langchain.test.ts',
  'test/sdk/matrix/matrix.test.ts',
  'test/sdk/openai/failures.test.ts',
  'test/sdk/packet-cuts.test.ts',
  'test/usage/kill.test.ts',
]);

/**
 * Every entry is a process of its own. Starting it often takes longer than the tests, so that files of one folder share one: a
 * module that loads them, written to `cache`.
 *
 * @returns paths for `node --test`
 */
export function listTestFiles(cache: string): string[] {
  const alone: string[] = [];
  const folders = new Map<string, string[]>();
  for (const file of globSync('test/**/*.test.ts').toSorted()) {
    const folder = dirname(file).replaceAll('\\', '/');
    if (ALONE.has(`${folder}/${file.slice(folder.length + 1)}`) || sharersOf(folder) === 1) alone.push(file);
    else folders.getOrInsert(folder, []).push(file);
  }
  mkdirSync(cache, { recursive: true });
  const groups = [...folders].flatMap(([folder, files]) =>
    inGroups(files, sharersOf(folder)).map((group, index) =>
      writeGroup(cache, `${folder.replaceAll('/', '-')}-${index}`, group),
    ),
  );
  // Whatever is long begins early, so that nothing long is left for the end.
  return [...alone, ...groups];
}

function sharersOf(folder: string): number {
  return SHARING[folder.split('/')[1] ?? ''] ?? 1;
}

function inGroups(files: readonly string[], most: number): string[][] {
  const size = Math.min(most, files.length);
  return Array.from({ length: Math.ceil(files.length / size) }, (_, index) =>
    files.slice(index * size, (index + 1) * size),
  );
}

/** Each file is a suite: its hooks are its own, and no test runs before all are loaded. */
function writeGroup(cache: string, name: string, files: readonly string[]): string {
  const path = join(cache, `${name}.mjs`);
  const lines = files.map((file) => {
    const url = pathToFileURL(resolve(file)).href;
    return `describe(${JSON.stringify(file)}, () => import(${JSON.stringify(url)}));\n`;
  });
  writeFileSync(path, [`import { describe } from 'node:test';\n`, ...lines].join(''));
  return path;
}
