import assert from 'node:assert/strict';
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makePackage } from '../../scripts/build.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

test('a package is what package.json says is published, and nothing of the one before', async (context) => {
  const folder = join(makeTempDirectory(context), 'package');
  await makePackage(folder);
  const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] };
  // What npm adds by itself.
  const all = [...files, 'package.json', 'README.md', 'LICENSE'];
  assert.deepEqual(readdirSync(folder).toSorted(), all.toSorted());
  const built = readdirSync(join(folder, 'dist'));
  const threads = globSync('src/**/*-worker.ts', { cwd: ROOT }).map((file) => basename(file, '.ts'));
  assert.ok(
    threads.length >= 3 && threads.every((name) => built.includes(`${name}.js`)),
    `${threads} in ${built}`,
  );
  const left = ['left.txt', 'prompts/left.prompt', 'dist/left.js'].map((file) => join(folder, file));
  for (const file of left) writeFileSync(file, 'of before');
  await makePackage(folder);
  assert.deepEqual(left.filter(existsSync), []);
});

test('a folder that is no such package is not overwritten', async (context) => {
  const folder = makeTempDirectory(context);
  writeFileSync(join(folder, 'mine.txt'), 'not to be lost');
  await assert.rejects(makePackage(folder), /is no package that was made here/);
  for (const around of [ROOT, join(ROOT, '..')]) await assert.rejects(makePackage(around), /is no package/);
  assert.equal(readFileSync(join(folder, 'mine.txt'), 'utf8'), 'not to be lost');
});
