import { globSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Their tests need nothing that is one for a process, and are short. */
const SHARING = ['config', 'dialects', 'support', 'tenants', 'tokens', 'upstream', 'wire'];

/**
 * Every file of tests is a process of its own. Starting it often takes longer than the tests, so that short ones of one
 * folder share one: a module that loads them all, written to `cache`.
 *
 * @returns paths for `node --test`
 */
export function listTestFiles(cache: string): string[] {
  const groups = new Map<string, string[]>();
  for (const file of globSync('test/**/*.test.ts').toSorted()) {
    const folder = dirname(file);
    const isShared = SHARING.includes(folder.split(/[/\\]/)[1] ?? '');
    const group = isShared ? folder.replaceAll(/[/\\]/g, '-') : file;
    groups.set(group, [...(groups.get(group) ?? []), file]);
  }
  mkdirSync(cache, { recursive: true });
  return [...groups].flatMap(([group, files]) =>
    files.length === 1 ? files : [writeGroup(cache, group, files)],
  );
}

function writeGroup(cache: string, name: string, files: readonly string[]): string {
  const path = join(cache, `${name}.mjs`);
  const lines = files.map((file) => `await import(${JSON.stringify(pathToFileURL(resolve(file)).href)});\n`);
  writeFileSync(path, lines.join(''));
  return path;
}
