import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, type Plugin } from 'esbuild';

/**
 * `node scripts/build.ts [--package FOLDER]`: bundles the sources, and the packages that they use, into `dist/`. Of the time that a start takes from
 * the sources, two thirds go into finding and linking 2,000 modules.
 *
 * With `--package`, everything that is published is put there: what tests and benchmarks start.
 */
const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** What runs beside the program: threads, which are started by their files' names. */
const THREADS = 'src/**/*-worker.ts';

/** What npm publishes whatever `files` says. */
const ALWAYS = ['package.json', 'README.md', 'LICENSE'];

/** They read files of their own packages, or may be absent. */
const OUTSIDE = ['tiktoken', 'pg-native'];

/** Packages in CommonJS call `require` for Node's modules, which an ES module does not have. */
const BANNER = `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);`;

/**
 * Importing a module of Node reads all that it exports: that of `node:http` loads an HTTP client for its `WebSocket`, which took a
 * tenth of a start. Requiring it reads nothing.
 */
const requireHttp: Plugin = {
  name: 'require node:http',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:(http|util)$/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'required' } : undefined,
    );
    onLoad({ filter: /^/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/** Never called: no route of ours has schemas (`src/http/server.ts`), and these are a tenth of the code. */
const leaveSchemaCompilersOut: Plugin = {
  name: 'leave schema compilers out',
  setup({ onLoad }) {
    onLoad({ filter: /@fastify[\\/](ajv|fast-json-stringify)-compiler[\\/]index\.js$/ }, () => ({
      contents: '',
      loader: 'js',
    }));
  },
};

/** A module that gives all of `providers/`, which is the list: found one by one they take a twentieth of a start. */
const listProviders: Plugin = {
  name: 'list providers',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^providers$/ }, ({ path }) => ({ path, namespace: 'list' }));
    onLoad({ filter: /^/, namespace: 'list' }, () => {
      const files = globSync('providers/*.ts', { cwd: ROOT }).sort();
      const imports = files.map((file, index) => `import p${index} from ${JSON.stringify(`./${file}`)};`);
      const names = files.map((_, index) => `p${index}`);
      return { contents: `${imports.join('')}export default [${names}];`, resolveDir: ROOT };
    });
  },
};

/** Bundles into a folder `dist/`. */
export async function bundle(dist: string): Promise<void> {
  rmSync(dist, { recursive: true, force: true });
  const entries = ['src/main.ts', ...globSync(THREADS, { cwd: ROOT })].map((file) => [nameOf(file), file]);
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries([...entries, ['providers', 'providers']]),
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Beside the entries: what is imported relative to a module (threads, the root) is found from every bundle.
    chunkNames: '[name]-[hash]',
    external: OUTSIDE,
    plugins: [requireHttp, leaveSchemaCompilersOut, listProviders],
    // What is read need not be scanned for; names stay, for those who read a stack.
    minifyWhitespace: true,
    minifySyntax: true,
    banner: { js: BANNER },
    legalComments: 'linked',
    logLevel: 'warning',
  });
}

function nameOf(file: string): string {
  return basename(file, extname(file));
}

/**
 * Puts what is published (`files` in package.json, and what npm adds) into a folder, in the place of what was put there before.
 *
 * @throws Error where there is something else
 */
export async function makePackage(folder: string): Promise<void> {
  const { name, files } = readManifest(ROOT);
  const isAround = !relative(folder, ROOT).startsWith('..');
  const isOther = existsSync(folder) && readdirSync(folder).length > 0 && readManifest(folder).name !== name;
  if (isAround || isOther) throw new Error(`${folder} is no package that was made here: it is left as it is`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await bundle(join(folder, 'dist'));
  for (const part of [...files, ...ALWAYS])
    if (part !== 'dist') cpSync(join(ROOT, part), join(folder, part), { recursive: true });
}

function readManifest(folder: string): { name?: string; files: readonly string[] } {
  const file = join(folder, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { files: [] };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { package: { type: 'string' } } });
  if (values.package === undefined) await bundle(join(ROOT, 'dist'));
  else await makePackage(values.package);
}
