import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/**
 * The import rule of docs/architecture.md. A folder may import itself and what its row names, nothing else.
 * `app.ts`, `main.ts` and `cli/` put things together and are free.
 */
const MAY_IMPORT: Record<string, string[]> = {
  conversation: [],
  dialects: ['conversation'],
  usage: ['conversation', 'store', 'config'],
  store: ['conversation', 'usage'],
  tenants: ['conversation', 'store', 'config'],
  upstream: ['conversation', 'dialects', 'usage'],
  telemetry: ['conversation', 'config', 'upstream', 'routing', 'usage'],
  webhooks: ['conversation', 'config', 'store'],
  workers: ['conversation', 'telemetry'],
  tokens: ['conversation'],
  routing: ['conversation', 'dialects', 'upstream', 'lifecycle'],
  quotas: ['conversation', 'dialects', 'config', 'usage', 'store'],
  overload: ['conversation', 'config', 'upstream'],
  rollouts: ['conversation', 'store', 'usage'],
  prompts: ['conversation', 'dialects', 'store', 'config', 'rollouts', 'threads'],
  lifecycle: ['conversation', 'config'],
  responses: ['conversation', 'store', 'usage'],
  threads: [],
  schemas: ['conversation', 'threads'],
  captures: ['conversation', 'dialects', 'upstream', 'store', 'threads', 'usage'],
  config: ['conversation'],
  control: ['conversation', 'config', 'store', 'tenants', 'lifecycle'],
  gateway: [
    'conversation',
    'config',
    'dialects',
    'usage',
    'upstream',
    'routing',
    'tenants',
    'tokens',
    'responses',
    'captures',
    'quotas',
    'overload',
    'rollouts',
    'lifecycle',
    'schemas',
  ],
  'prompt-calls': ['conversation', 'config', 'dialects', 'lifecycle', 'rollouts', 'prompts', 'gateway'],
  http: [
    'conversation',
    'config',
    'control',
    'dialects',
    'usage',
    'store',
    'tenants',
    'routing',
    'tokens',
    'responses',
    'gateway',
    'telemetry',
    'rollouts',
    'prompts',
    'prompt-calls',
    'lifecycle',
  ],
};

/** Node's own modules that would make a codec impure. */
const IMPURE = /^node:(?!zlib$|buffer$|crypto$)/;

/** A spread among the arguments of a call, not within an object, a list or a call among them. */
const CALL_WITH_SPREAD = /\w+\((?:[^()[\]{}]*,)?\s*\.\.\.(?!\w+:)[^()]*/g;

/** Where it is known how many there are at most: SQLite takes 32,766 parameters, a record has its columns. */
const SHORT_LISTS = new Set([
  'src/store/sqlite/adapter.ts: all(...parameters.map',
  'src/store/sqlite/adapter.ts: run(...parameters.map',
  'src/store/sqlite/adapter.ts: iterate(...parameters.map',
  'src/store/sqlite/store.ts: run(...plainValues',
  'src/store/sqlite/sums-writer.ts: run(...SUM_COLUMNS.map',
]);

const root = fileURLToPath(new URL('../', import.meta.url));

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s[^;=]*?\bfrom '([^']+)'/gm);
  return [...statements].map((match) => match[1] ?? '');
}

/** The folder of `src/` (or `providers`) that an import leads to; `undefined` for packages. */
function importedFolder(file: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const [top, folder] = relative(root, resolve(root, dirname(file), specifier)).split('/');
  return top === 'src' ? folder : top;
}

test('imports point one way', () => {
  const wrong: string[] = [];
  for (const [folder, allowed] of Object.entries(MAY_IMPORT)) {
    for (const file of sourceFiles(`src/${folder}`)) {
      for (const specifier of importsOf(file)) {
        const target = importedFolder(file, specifier);
        if (target !== undefined && ![folder, 'package-root.ts', ...allowed].includes(target)) {
          wrong.push(`${file} imports ${specifier}`);
        }
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('every folder of src/ has a row in the rule', () => {
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  assert.deepEqual(
    folders.filter((folder) => folder !== 'cli' && !(folder in MAY_IMPORT)),
    [],
  );
});

test('a provider is a declaration: it imports the provider type and nothing else of the gateway', () => {
  const wrong = sourceFiles('providers').flatMap((file) =>
    importsOf(file)
      .filter((specifier) => specifier !== '../src/upstream/provider.ts')
      .map((specifier) => `${file} imports ${specifier}`),
  );
  assert.deepEqual(wrong, []);
});

test('codecs are pure: no I/O, no clock, no randomness, no packages', () => {
  const wrong: string[] = [];
  for (const file of [...sourceFiles('src/conversation'), ...sourceFiles('src/dialects')]) {
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith('.') && (!specifier.startsWith('node:') || IMPURE.test(specifier))) {
        wrong.push(`${file} imports ${specifier}`);
      }
    }
    const text = readFileSync(join(root, file), 'utf8');
    for (const impure of text.matchAll(
      /\b(?:Date\.now|new Date\(\)|Math\.random|performance\.now|process\.|random(?:UUID|Bytes|Int))/g,
    )) {
      wrong.push(`${file} uses ${impure[0]}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('no list of any length is spread into a call: each item would go on the stack', () => {
  const wrong = [...sourceFiles('src'), ...sourceFiles('providers')].flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8').replace(/^\s*(?:\/\*)?\*.*|\/\/.*/gm, '');
    return [...text.matchAll(CALL_WITH_SPREAD)].map(([call]) => `${file}: ${call.replace(/\s+/g, ' ')}`);
  });
  assert.deepEqual(new Set(wrong), SHORT_LISTS);
});
