import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { PromptRefusal } from '../../src/prompts/deeds.ts';
import { PromptFileError } from '../../src/prompts/problem.ts';
import { PromptBook } from '../../src/prompts/prompt-book.ts';
import { PromptCompiler } from '../../src/prompts/prompt-files.ts';
import { PromptKeeper } from '../../src/prompts/prompt-keeper.ts';
import { PromptStore } from '../../src/prompts/prompt-store.ts';
import type { Store } from '../../src/store/store.ts';
import { onEachDatabase } from '../support/databases.ts';

/** One instance at a store, and what it tells. */
function makeInstance(
  store: Store,
  options: { publish?: 'auto' | 'manual'; examples?: boolean; startsAt?: number } = {},
) {
  const clock = { now: options.startsAt ?? Date.UTC(2026, 0, 1) };
  const now = () => clock.now;
  const told: string[] = [];
  let compiled = 0;
  const compile: typeof compilePrompt = (source) => {
    compiled += 1;
    return compilePrompt(source);
  };
  const compiler = new PromptCompiler(compile);
  const hasExamples = () => options.examples === true;
  const madeBefore: PromptCompiler['find'] = (name, hash) => compiler.find(name, hash);
  const book = new PromptBook({ compile, madeBefore, hasExamples, now });
  const keeper = new PromptKeeper({
    ...{ store: new PromptStore(store), book, compiler, hasExamples, now },
    publishesFiles: () => options.publish !== 'manual',
    onChange: ({ versions, labels }, by) => {
      for (const { name, number, state } of versions) told.push(`${name}@${number} ${state} by ${by}`);
      for (const { name, label, number } of labels) told.push(`${name}: ${label} is ${number} by ${by}`);
    },
    findMissingModel: () => undefined,
    onSlips: ({ name, unknownFields, unknownInputs }) => {
      for (const { field, line } of unknownFields) told.push(`${name}: ${field} in line ${line}`);
      for (const input of unknownInputs) told.push(`${name}: {{${input.name}}} in line ${input.line}`);
    },
    onRetired: (versions) => {
      for (const { name, number } of versions) told.push(`${name}@${number} has ended`);
    },
    onBrokenVersion: ({ version }) => told.push(`broken ${version.name}@${version.number}`),
    onStrays: ({ gone, elsewhere }) => {
      for (const { name } of gone) told.push(`gone ${name}`);
      for (const { production, inFile } of elsewhere)
        told.push(`${production.name} is ${production.number}, its file ${inFile.number}`);
    },
  });
  const say = async (name: string) => {
    const prompt = book.find(name);
    if (!prompt) return undefined;
    const [message] = await prompt.template.render({ input: {} });
    return `${message?.content[0]?.text?.trim()} (${prompt.version.number})`;
  };
  return { book, keeper, told, clock, say, compiled: () => compiled };
}

function files(texts: Record<string, string>): Map<string, string> {
  return new Map(Object.entries(texts).map(([name, text]) => [`${name}.prompt`, text]));
}

onEachDatabase((database) => {
  test('what a file says anew is the next version, and the same again is the same', async (context) => {
    const store = await database.open(context);
    const { keeper, told, say, book } = makeInstance(store);
    await keeper.takeFiles(files({ hello: 'one' }));
    await keeper.takeFiles(files({ hello: 'two' }));
    assert.equal(await say('hello'), 'two (2)');
    await keeper.takeFiles(files({ hello: 'one' }));
    assert.equal(await say('hello'), 'one (1)');
    assert.equal(book.record('hello')?.versions.length, 2);
    assert.deepEqual(told, [
      ...['hello@1 published by file', 'hello: production is 1 by file'],
      ...['hello@2 published by file', 'hello: production is 2 by file'],
      'hello: production is 1 by file',
    ]);
  });

  test('a partial is part of a version', async (context) => {
    const store = await database.open(context);
    const { keeper, say } = makeInstance(store);
    await keeper.takeFiles(files({ _tone: 'calm', hello: 'Be {{> tone}}', other: 'other' }));
    await keeper.takeFiles(files({ _tone: 'kind', hello: 'Be {{> tone}}', other: 'other' }));
    assert.equal(await say('hello'), 'Be kind (2)');
    assert.equal(await say('other'), 'other (1)');
    // The store alone has all that it is made from.
    const later = makeInstance(store);
    await later.keeper.read();
    assert.equal(await later.say('hello'), 'Be kind (2)');
  });

  test('what was moved by hand stays so at a start with the same files', async (context) => {
    const store = await database.open(context);
    const first = makeInstance(store);
    await first.keeper.takeFiles(files({ hello: 'one' }));
    await first.keeper.takeFiles(files({ hello: 'two' }));
    await first.keeper.command('hello', { action: 'promote', version: '1' }, 'ada');
    assert.equal(await first.say('hello'), 'one (1)');
    const second = makeInstance(store);
    await second.keeper.takeFiles(files({ hello: 'two' }));
    assert.equal(await second.say('hello'), 'one (1)');
    assert.deepEqual(second.told, ['hello is 1, its file 2']);
    await second.keeper.takeFiles(files({ hello: 'three' }));
    assert.equal(await second.say('hello'), 'three (3)');
  });

  test('an instance whose files come late moves nothing that was moved by hand meanwhile', async (context) => {
    const store = await database.open(context);
    const [one, late] = [makeInstance(store), makeInstance(store)];
    for (const { keeper } of [one, late]) await keeper.takeFiles(files({ hello: 'one' }));
    await one.keeper.takeFiles(files({ hello: 'two' }));
    await one.keeper.command('hello', { action: 'promote', version: '1' }, 'ada');
    await late.keeper.takeFiles(files({ hello: 'two' }));
    assert.equal(await late.say('hello'), 'one (1)');
    assert.deepEqual(late.told, ['hello is 1, its file 2']);
    // Where no hand was at it, it goes to and fro with the file.
    await one.keeper.takeFiles(files({ hello: 'three' }));
    for (const [text, number] of [
      ['two', 2],
      ['three', 3],
      ['two', 2],
    ] as const) {
      await one.keeper.takeFiles(files({ hello: text }));
      assert.equal(await one.say('hello'), `${text} (${number})`);
    }
  });

  test('instances that race to publish the same files make one version', async (context) => {
    const store = await database.open(context);
    const instances = Array.from({ length: 4 }, () => makeInstance(store));
    const texts = files(Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`p${n}`, `text ${n}`])));
    await Promise.all(instances.map(({ keeper }) => keeper.takeFiles(texts)));
    const told = instances.flatMap((instance) => instance.told);
    assert.equal(told.length, 20, told.join('\n'));
    for (const { keeper, book, say } of instances) {
      await keeper.read();
      assert.equal(await say('p7'), 'text 7 (1)');
      assert.deepEqual(
        book.records().map(({ versions }) => versions.length),
        Array(10).fill(1),
      );
    }
  });

  test('instances see what another one changed, and read only that', async (context) => {
    const store = await database.open(context);
    const [one, other] = [makeInstance(store), makeInstance(store)];
    await one.keeper.takeFiles(files({ hello: 'one', bye: 'bye' }));
    await other.keeper.read();
    const compiled = other.compiled();
    await one.keeper.takeFiles(files({ hello: 'two', bye: 'bye' }));
    const begun = other.book.find('hello');
    await other.keeper.read();
    assert.equal(await other.say('hello'), 'two (2)');
    assert.equal(begun?.version.number, 1);
    assert.equal(other.compiled(), compiled + 1);
  });

  test('a draft is reached by its name, until it is published', async (context) => {
    const store = await database.open(context);
    const { keeper, book, say, told } = makeInstance(store, { publish: 'manual' });
    await keeper.takeFiles(files({ hello: 'one' }));
    assert.equal(book.find('hello'), undefined);
    assert.equal((await book.open('hello@draft'))?.state, 'draft');
    await keeper.command('hello', { action: 'publish' }, 'ada');
    assert.equal(await say('hello'), 'one (1)');
    await keeper.takeFiles(files({ hello: 'two' }));
    assert.equal(await say('hello'), 'one (1)');
    await assert.rejects(
      keeper.command('hello', { action: 'promote', version: 'draft' }, 'ada'),
      /'hello@2' is a draft: publish it/,
    );
    await keeper.command('hello', { action: 'publish', label: 'staging' }, 'ada');
    assert.equal(await say('hello'), 'one (1)');
    const staged = await book.open('hello@staging');
    assert.equal(staged?.state === 'published' && staged.prompt.version.number, 2);
    await keeper.command('hello', { action: 'promote', version: 'staging' }, 'ada');
    assert.equal(await say('hello'), 'two (2)');
    assert.equal(told.at(-1), 'hello: production is 2 by ada');
    // Nothing is changed, and nothing told, by what is so already.
    await keeper.command('hello', { action: 'promote', version: '2' }, 'ada');
    assert.equal(told.filter((one) => one === 'hello: production is 2 by ada').length, 1);
  });

  test('versions are named by number, label and the beginning of their hash', async (context) => {
    const store = await database.open(context);
    const { keeper, book } = makeInstance(store);
    await keeper.takeFiles(files({ 'support/hello': 'one' }));
    await keeper.takeFiles(files({ 'support/hello': 'two' }));
    const hash = book.record('support/hello')?.versions[0]?.hash ?? '';
    for (const text of ['1', hash, hash.slice(0, 8)]) {
      const found = await book.open(`support/hello@${text}`);
      assert.ok(found?.state === 'published' && found.prompt.version.number === 1, text);
    }
    for (const text of ['3', '0', '01', hash.slice(0, 7), 'staging', '', 'constructor'])
      assert.equal(await book.open(`support/hello@${text}`), undefined, text);
  });

  test('a version that ends tells what to call instead', async (context) => {
    const store = await database.open(context);
    const { keeper, book, clock } = makeInstance(store);
    await keeper.takeFiles(files({ hello: 'one', other: 'other' }));
    await keeper.takeFiles(files({ hello: 'two', other: 'other' }));
    await assert.rejects(
      keeper.command('hello', { action: 'retire', version: '2' }, 'ada'),
      /'hello@2' is what 'production' points at/,
    );
    const at = clock.now + 1_000;
    await assert.rejects(
      keeper.command('hello', { action: 'retire', version: '2', at }, 'ada'),
      /'hello@2' is what 'production' points at/,
    );
    await keeper.command('hello', { action: 'retire', version: '1', at }, 'ada');
    const deprecated = await book.open('hello@1');
    assert.ok(deprecated?.state === 'deprecated');
    assert.equal(deprecated.prompt.successor, 'hello');
    await assert.rejects(
      keeper.command('hello', { action: 'promote', version: '1' }, 'ada'),
      /'hello@1' is deprecated: publish it/,
    );
    clock.now = at;
    assert.deepEqual(
      await book
        .open('hello@1')
        .then((found) => [found?.state, found && 'successor' in found && found.successor]),
      ['retired', 'hello'],
    );
    await assert.rejects(
      keeper.command('hello', { action: 'retire', successor: 'nothing' }, 'ada'),
      /there is no prompt 'nothing' in service/,
    );
    // Who ends it before its day means the same successor.
    await keeper.command('hello', { action: 'retire', at: at + 60_000, successor: 'other' }, 'ada');
    await keeper.command('hello', { action: 'retire' }, 'ada');
    assert.deepEqual(
      book.list().map(({ name }) => name),
      ['other'],
    );
    const gone = await book.open('hello');
    assert.ok(gone?.state === 'retired');
    assert.equal(gone.successor, 'other');
    const ends = book.record('hello')?.versions.map(({ retiresAt }) => retiresAt);
    await keeper.takeFiles(files({ hello: 'two', other: 'other', third: 'third' }));
    clock.now += 1_000;
    await keeper.command('hello', { action: 'retire', successor: 'third' }, 'ada');
    const renamed = await book.open('hello');
    assert.equal(renamed?.state === 'retired' && renamed.successor, 'third');
    assert.deepEqual(
      book.record('hello')?.versions.map(({ retiresAt }) => retiresAt),
      ends,
    );
    // What was retired by mistake can be had back.
    await keeper.command('hello', { action: 'publish', version: '2' }, 'ada');
    assert.equal(book.find('hello')?.version.number, 2);
  });

  test('a label is taken away at all instances, and its versions stay what they are', async (context) => {
    const store = await database.open(context);
    const [one, other] = [makeInstance(store), makeInstance(store)];
    for (const { keeper } of [one, other]) await keeper.takeFiles(files({ hello: 'one' }));
    await one.keeper.command('hello', { action: 'promote', version: '1', label: 'staging' }, 'ada');
    await one.keeper.command('hello', { action: 'unlabel', label: 'production' }, 'ada');
    assert.equal(one.told.at(-1), 'hello: production is 0 by ada');
    await other.keeper.read();
    for (const { book } of [one, other]) {
      assert.equal(await book.open('hello'), undefined);
      assert.deepEqual(book.list(), []);
      assert.equal((await book.open('hello@staging'))?.state, 'published');
      assert.equal((await book.open('hello@1'))?.state, 'published');
    }
    // A start with the same file is no news; what the file says anew is.
    const later = makeInstance(store);
    await later.keeper.takeFiles(files({ hello: 'one' }));
    assert.equal(await later.say('hello'), undefined);
    await later.keeper.takeFiles(files({ hello: 'two' }));
    assert.equal(await later.say('hello'), 'two (2)');
    await later.keeper.command('hello', { action: 'unlabel', label: 'staging' }, 'ada');
    await later.keeper.command('hello', { action: 'retire', version: '1' }, 'ada');
    for (const label of ['staging', 'draft'])
      await assert.rejects(later.keeper.command('hello', { action: 'unlabel', label }, 'ada'), PromptRefusal);
  });

  test('that the day of a version has come is told, also to who starts soon after', async (context) => {
    const store = await database.open(context);
    const { keeper, clock, told, book } = makeInstance(store);
    await keeper.takeFiles(files({ hello: 'one' }));
    await keeper.takeFiles(files({ hello: 'two' }));
    const at = clock.now + 1_000;
    await keeper.command('hello', { action: 'retire', version: '1', at }, 'ada');
    told.length = 0;
    clock.now = at - 1;
    await keeper.read();
    assert.deepEqual(told, []);
    clock.now = at;
    await keeper.read();
    await keeper.read();
    assert.deepEqual(told, ['hello@1 has ended']);
    assert.equal((await book.open('hello@1'))?.state, 'retired');
    for (const [sinceMs, said] of [
      [60_000, ['hello@1 has ended']],
      [2 * 86_400_000, []],
    ] as const) {
      const later = makeInstance(store, { startsAt: at + sinceMs });
      await later.keeper.read();
      assert.deepEqual(later.told, said);
    }
  });

  test('a field that nothing reads is told once, when the file says it anew', async (context) => {
    const store = await database.open(context);
    const { keeper, told } = makeInstance(store);
    const slip =
      '---\nmodel: m\ninputs: {}\ninput: { schemas: {} }\nfairlead: { overrides: [], repair: 1 }\ngenkit.x: 1\nfairlead.cash: 1\n---\nHi';
    await keeper.takeFiles(files({ hello: slip }));
    await keeper.takeFiles(files({ hello: slip }));
    assert.deepEqual(told.slice(0, 4), [
      ...['hello: inputs in line 3', 'hello: input.schemas in line 4', 'hello: fairlead.repair in line 5'],
      'hello: fairlead.cash in line 7',
    ]);
    assert.deepEqual(told.slice(4), ['hello@1 published by file', 'hello: production is 1 by file']);
  });

  test('what cannot be done changes nothing', async (context) => {
    const store = await database.open(context);
    const { keeper, told } = makeInstance(store);
    await keeper.takeFiles(files({ hello: 'one' }));
    const before = [...told];
    for (const wish of [
      { action: 'promote', version: '7' },
      { action: 'promote', version: '1', label: 'draft' },
      { action: 'promote', version: '1', label: '12' },
      { action: 'promote', version: '1', label: 'deadbeef' },
      { action: 'publish' },
    ] as const)
      await assert.rejects(keeper.command('hello', wish, 'ada'), PromptRefusal);
    await assert.rejects(keeper.command('bye', { action: 'publish', version: '1' }, 'ada'), PromptRefusal);
    assert.deepEqual(told, before);
  });

  test('a label that is led to where it points is left alone', async (context) => {
    const store = await database.open(context);
    const { keeper, told, say, clock } = makeInstance(store);
    for (const text of ['one', 'two']) await keeper.takeFiles(files({ hello: text }));
    await keeper.lead('hello', 'production', () => 1, 'rollout r');
    assert.equal(await say('hello'), 'one (1)');
    await keeper.command('hello', { action: 'retire', at: clock.now + 60_000 }, 'ada');
    const [toldBefore, before] = [told.length, await new PromptStore(store).readAfter(0)];
    // It is deprecated, and nothing could be moved to it.
    await keeper.lead('hello', 'production', () => 1, 'rollout r');
    await keeper.lead('hello', 'production', () => 'label', 'rollout r');
    await keeper.lead('other', 'production', () => 1, 'rollout r');
    assert.equal((await new PromptStore(store).readAfter(0))?.change, before?.change);
    assert.equal(told.length, toldBefore);
    await assert.rejects(
      keeper.lead('hello', 'production', () => 2, 'rollout r'),
      PromptRefusal,
    );
  });

  test('a file that is broken or gone leaves in service what there is', async (context) => {
    const store = await database.open(context);
    const { keeper, say, told } = makeInstance(store);
    await keeper.takeFiles(files({ hello: 'one', bye: 'bye' }));
    const broken = await keeper.takeFiles(files({ hello: '{{#if}}' }));
    assert.deepEqual(
      broken.map(({ path }) => path),
      ['hello.prompt'],
    );
    assert.deepEqual([await say('hello'), await say('bye')], ['one (1)', 'bye (1)']);
    await keeper.takeFiles(files({ hello: 'one' }));
    assert.deepEqual(told.slice(4), ['gone bye']);
  });

  test('a version that this gateway cannot use is told, and takes nothing else with it', async (context) => {
    const store = await database.open(context);
    const { keeper, book, say, told } = makeInstance(store);
    await keeper.takeFiles(files({ hello: 'one', bye: 'bye' }));
    await new PromptStore(store).change(['hello'], (_, record) => ({
      versions: (record?.versions ?? []).map((version) => ({
        ...version,
        ...{ number: 2, hash: 'f'.repeat(64), sources: { source: '{{#if}}', partials: {} } },
      })),
      labels: [{ name: 'hello', label: 'production', number: 2, movedAt: 0, author: 'ada' }],
    }));
    await keeper.read();
    assert.equal(told.at(-1), 'broken hello@2');
    await assert.rejects(book.open('hello@2'), PromptFileError);
    // What was in service stays so, also when something else is changed.
    await keeper.command('hello', { action: 'promote', version: '1', label: 'staging' }, 'ada');
    assert.equal(await say('hello'), 'one (1)');
    const stood = await book.open('hello');
    assert.ok(stood?.state === 'published' && stood.prompt.version.number === 1);
    const fresh = makeInstance(store);
    await fresh.keeper.read();
    await assert.rejects(fresh.book.open('hello'), PromptFileError);
    assert.equal(fresh.book.find('hello'), undefined);
    assert.equal((await book.open('hello@1'))?.state, 'published');
    assert.equal(await say('bye'), 'bye (1)');
  });

  test('the examples are there as long as nobody has prompts of their own', async (context) => {
    const store = await database.open(context);
    await makeInstance(store, { examples: true }).keeper.takeFiles(files({ sample: 'sample' }));
    const own = makeInstance(store);
    await own.keeper.takeFiles(files({ hello: 'one' }));
    assert.deepEqual(
      own.book.list().map(({ name }) => name),
      ['hello'],
    );
    assert.equal(await own.book.open('sample'), undefined);
    assert.ok(!own.told.includes('gone sample'));
  });

  test('1,000 prompts are compiled once at a start, and one at a time when they change', async (context) => {
    const store = await database.open(context);
    const texts = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`p${n}`, `text ${n}`]));
    const first = makeInstance(store);
    await first.keeper.takeFiles(files(texts));
    assert.equal(first.compiled(), 1_000);
    await first.keeper.takeFiles(files({ ...texts, p500: 'another' }));
    assert.equal(first.compiled(), 1_001);
    assert.equal(await first.say('p500'), 'another (2)');
    const second = makeInstance(store);
    await second.keeper.takeFiles(files({ ...texts, p500: 'another' }));
    assert.equal(second.compiled(), 1_000);
    assert.deepEqual(second.told, []);
  });
});
