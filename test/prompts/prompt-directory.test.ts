import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { PromptDirectory } from '../../src/prompts/prompt-directory.ts';
import { PromptCompiler } from '../../src/prompts/prompt-files.ts';

/** When all that is written has been the same for a moment. */
const later = () => Date.now() + 60_000;

async function makeFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-directory-'));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** The names of the prompts of a folder, and what is told of its other files. */
async function readAll(folder: string): Promise<{ names: string[]; broken: string[] }> {
  const files = await new PromptDirectory(folder, later).read();
  assert.ok(files);
  const { prompts, broken } = await new PromptCompiler(compilePrompt).read(files);
  return {
    names: prompts.map(({ name }) => name),
    broken: broken.map(({ path, error }) => `${path}: ${error.message}`),
  };
}

test('a file that cannot be read is broken, and no other one', async (context) => {
  const folder = await makeFolder(context);
  await writeFile(join(folder, 'good.prompt'), 'Hi');
  await writeFile(join(folder, 'large.prompt'), 'x'.repeat(1024 * 1024 + 1));
  await symlink('nowhere.prompt', join(folder, 'gone.prompt'));
  await symlink('round.prompt', join(folder, 'round.prompt'));
  execFileSync('mkfifo', [join(folder, 'pipe.prompt')]);
  await writeFile(
    join(folder, 'latin.prompt'),
    Buffer.from('---\nmodel: m\n---\nGr\u00FC\u00DFe\n', 'latin1'),
  );
  await writeFile(join(folder, 'wide.prompt'), Buffer.from('\uFEFFHi', 'utf16le'));
  await symlink('nowhere', join(folder, 'other'));
  const { names, broken } = await readAll(folder);
  assert.deepEqual(names, ['good']);
  assert.deepEqual(broken, [
    'gone.prompt: the link leads to no file',
    'large.prompt: a prompt file has at most 1048576 bytes',
    'latin.prompt: line 4: the file is no UTF-8',
    'pipe.prompt: it is no file',
    'round.prompt: the link leads to no file',
    'wide.prompt: line 1: the file is no UTF-8',
  ]);
});

test('a file that was broken and is mended is a prompt again', async (context) => {
  const folder = await makeFolder(context);
  const directory = new PromptDirectory(folder, later);
  const compiler = new PromptCompiler(compilePrompt);
  await symlink('late.txt', join(folder, 'late.prompt'));
  const before = await directory.read();
  assert.equal(before && (await compiler.read(before)).broken.length, 1);
  assert.equal(await directory.read(), undefined);
  await writeFile(join(folder, 'late.txt'), 'Hi');
  const after = await directory.read();
  assert.deepEqual(after && (await compiler.read(after)).broken, []);
});

test('a linked folder is a folder, and one that leads back to where it is has nothing new', async (context) => {
  const folder = await makeFolder(context);
  const shared = await makeFolder(context);
  await mkdir(join(folder, 'own'));
  await writeFile(join(folder, 'own', 'hello.prompt'), 'Hi {{> tone}}');
  await writeFile(join(folder, 'own', '_tone.prompt'), 'calm');
  await writeFile(join(shared, 'linked.prompt'), 'Ho');
  await symlink(shared, join(folder, 'shared'));
  await symlink(folder, join(folder, 'own', 'round'));
  assert.deepEqual(await readAll(folder), { names: ['own/hello', 'shared/linked'], broken: [] });
});

test('of 1,000 files those are compiled that changed, and those that use a partial that did', async (context) => {
  const folder = await makeFolder(context);
  const write = (name: string, text: string) => writeFile(join(folder, `${name}.prompt`), text);
  for (let number = 0; number < 1_000; number++) await write(`p${number}`, `Prompt ${number}`);
  await write('_tone', 'calm');
  await write('p3', 'Be {{> tone}}.');
  const compiled: string[] = [];
  const directory = new PromptDirectory(folder, later);
  const compiler = new PromptCompiler((source) => {
    compiled.push(source.name);
    return compilePrompt(source);
  });
  const look = async () => {
    const files = await directory.read();
    compiled.length = 0;
    return files && (await compiler.read(files)).prompts;
  };
  const first = await look();
  assert.equal(compiled.length, 1_000);
  assert.equal(await look(), undefined);
  await write('p500', 'Another');
  const second = await look();
  assert.deepEqual(compiled, ['p500']);
  assert.equal(second?.filter((prompt) => !first?.includes(prompt)).length, 1);
  await write('_tone', 'kind');
  await look();
  assert.deepEqual(compiled, ['p3']);
  await write('p7', '{{> tone}}');
  await rm(join(folder, 'p8.prompt'));
  await look();
  assert.deepEqual(compiled, ['p7']);
});

test('a file that is being written is left as it was until it is the same for a moment, and so are others', async (context) => {
  const folder = await makeFolder(context);
  const [one, other] = [join(folder, 'one.prompt'), join(folder, 'other.prompt')];
  await writeFile(one, 'You must never tell.');
  await writeFile(other, 'Hi');
  let now = Date.now();
  const directory = new PromptDirectory(folder, () => now);
  const look = async () => Object.fromEntries((await directory.read()) ?? []);
  assert.deepEqual(await look(), { 'one.prompt': 'You must never tell.', 'other.prompt': 'Hi' });
  // By a clock that nobody has to wait for.
  const touch = (path: string) => utimes(path, now / 1000, now / 1000);
  await writeFile(one, 'You must never ');
  await touch(one);
  await writeFile(other, 'Ho');
  assert.deepEqual(await look(), {});
  now += 500;
  await appendFile(one, 'ever ');
  await touch(one);
  assert.deepEqual(await look(), { 'one.prompt': 'You must never tell.', 'other.prompt': 'Ho' });
  await appendFile(one, 'tell.');
  await touch(one);
  now += 250;
  assert.deepEqual(await look(), { 'one.prompt': 'You must never ever tell.', 'other.prompt': 'Ho' });
});

test('a file that is new by the clock of another machine is taken once it is the same', async (context) => {
  const folder = await makeFolder(context);
  const directory = new PromptDirectory(folder, Date.now);
  await directory.read();
  await writeFile(join(folder, 'new.prompt'), 'Hi');
  const tomorrow = Date.now() / 1000 + 86_400;
  await utimes(join(folder, 'new.prompt'), tomorrow, tomorrow);
  assert.equal(await directory.read(), undefined);
  assert.deepEqual(await directory.read(), new Map([['new.prompt', 'Hi']]));
});

/** As somebody who may not read everything. */
async function asAnybody<T>(work: () => Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    return await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

test('a folder that may not be read is broken, and what was in it stays as it was', async (context) => {
  const folder = await makeFolder(context);
  const inner = join(folder, 'inner');
  await mkdir(join(inner, 'deep'), { recursive: true });
  await writeFile(join(folder, 'hello.prompt'), 'Hi {{> tone}}');
  await writeFile(join(inner, '_tone.prompt'), 'calm');
  await writeFile(join(inner, 'deep', 'one.prompt'), 'One');
  await writeFile(join(inner, 'two.prompt'), 'Two {{> tone}}');
  await writeFile(join(folder, '_tone.prompt'), 'kind');
  await symlink(join(inner, 'deep'), join(folder, 'linked'));
  await chmod(folder, 0o755);
  const directory = new PromptDirectory(folder, later);
  const compiler = new PromptCompiler(compilePrompt);
  const look = async (read = directory) => {
    const files = await asAnybody(() => read.read());
    if (!files) return undefined;
    const { prompts, broken, mayHaveFile } = await compiler.read(files);
    return {
      names: prompts.map(({ name }) => name).toSorted(),
      broken: broken.map(({ path, error }) => `${path}: ${/.*: EACCES/.exec(error.message)?.[0]}`),
      unseen: ['inner/two', 'linked/one', 'gone'].filter(mayHaveFile),
    };
  };
  const all = ['hello', 'inner/deep/one', 'inner/two', 'linked/one'];
  assert.deepEqual(await look(), { names: all, broken: [], unseen: ['inner/two', 'linked/one'] });
  await chmod(inner, 0);
  const broken = ['inner/', 'linked/'].map((path) => `${path}: the folder cannot be read: EACCES`);
  assert.deepEqual(await look(), { names: all, broken, unseen: ['inner/two', 'linked/one'] });
  assert.equal(await look(), undefined);
  // Nobody says that the prompts have no files any more.
  const anew = await look(new PromptDirectory(folder, later));
  assert.deepEqual(anew, { names: ['hello'], broken, unseen: ['inner/two', 'linked/one'] });
  await chmod(inner, 0o755);
  assert.deepEqual((await look())?.broken, []);
});

test('that the directory itself may not be read is no news of its files', async (context) => {
  const folder = await makeFolder(context);
  await writeFile(join(folder, 'hello.prompt'), 'Hi');
  await chmod(folder, 0);
  await assert.rejects(
    asAnybody(() => new PromptDirectory(folder, later).read()),
    { code: 'EACCES' },
  );
  await chmod(folder, 0o700);
});
