import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { diffVersions } from '../../src/prompts/diff-versions.ts';
import type { PromptVersion } from '../../src/prompts/versions.ts';

function version(number: number, source: string, partials: Record<string, string> = {}): PromptVersion {
  return {
    ...{ name: 'hello', number, hash: '', sources: { source, partials }, state: 'published', stateAt: 0 },
    ...{ retiresAt: undefined, successor: undefined, createdAt: 0, author: 'file' },
  };
}

test('versions are told apart by what is changed, with the lines around it', () => {
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`);
  const from = `${lines.join('\n')}\n`;
  const to = `${lines.with(1, 'other').toSpliced(15, 1).join('\n')}\n`;
  assert.equal(
    diffVersions(version(1, from), version(2, to)),
    `--- hello@1
+++ hello@2
@@ -1,5 +1,5 @@
 line 1
-line 2
+other
 line 3
 line 4
 line 5
@@ -13,7 +13,6 @@
 line 13
 line 14
 line 15
-line 16
 line 17
 line 18
 line 19
`,
  );
});

test('partials that come, go and change are told each by itself', () => {
  const from = version(1, 'same', { tone: 'calm', old: 'x\n' });
  const to = version(2, 'same', { tone: 'calm\n', new: 'y\n' });
  assert.equal(
    diffVersions(from, to),
    `--- /dev/null
+++ hello@2, partial new
@@ -0,0 +1 @@
+y
--- hello@1, partial old
+++ /dev/null
@@ -1 +0,0 @@
-x
--- hello@1, partial tone
+++ hello@2, partial tone
@@ -1 +1 @@
-calm
\\ No newline at end of file
+calm
`,
  );
});

test('what a diff says of one text makes the other of it', () => {
  const text = fc
    .array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 40 })
    .map((lines) => lines.join('\n'));
  fc.assert(
    fc.property(text, text, (from, to) => {
      assert.equal(patch(from, diffVersions(version(1, from), version(2, to))), to);
    }),
  );
});

/** Applies a unified diff as `patch` does. */
function patch(text: string, diff: string): string {
  const before = toLines(text);
  const after: string[] = [];
  let taken = 0;
  const told = diff.replaceAll(/\n\\ No newline at end of file/g, '\u0000').split('\n');
  for (const line of told.slice(2, -1)) {
    const range = /^@@ -(\d+)(?:,(\d+))? /.exec(line);
    if (range) {
      const begin = Number(range[1]) - (range[2] === '0' ? 0 : 1);
      while (taken < begin) after.push(before[taken++] ?? '');
      continue;
    }
    const said = line.slice(1);
    if (line[0] !== '+') assert.equal(before[taken++], said);
    if (line[0] !== '-') after.push(said);
  }
  while (taken < before.length) after.push(before[taken++] ?? '');
  return after.map((line) => (line.endsWith('\u0000') ? line.slice(0, -1) : `${line}\n`)).join('');
}

function toLines(text: string): string[] {
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  return last === '' ? lines : [...lines, `${last}\u0000`];
}

test('long versions that share nothing are told whole, and what both begin and end with is not', () => {
  const lines = (word: string) => Array.from({ length: 20_000 }, (_, index) => `${word} ${index}`);
  const text = (word: string) => `${['first', ...lines(word), 'last'].join('\n')}\n`;
  const before = process.cpuUsage();
  const told = diffVersions(version(1, text('a')), version(2, text('b')));
  const { user } = process.cpuUsage(before);
  assert.ok(user < 2_000_000, `${user} µs`);
  const gone = lines('a').map((line) => `-${line}`);
  const come = lines('b').map((line) => `+${line}`);
  assert.equal(
    told,
    ['--- hello@1', '+++ hello@2', '@@ -1,20002 +1,20002 @@', ' first', ...gone, ...come, ' last', ''].join(
      '\n',
    ),
  );
});
