import { diff } from 'node:util';
import type { PromptVersion } from './versions.ts';

/** Lines around what is changed. */
const AROUND = 3;

/** Of more lines of both than that it is not looked for what they share: that takes the square of them, in time and memory. */
const MOST_COMPARED = 2000;

type Line = { sign: ' ' | '-' | '+'; text: string };

/** What two versions differ in, as a unified diff of the file and of each partial; empty where they say the same. */
export function diffVersions(from: PromptVersion, to: PromptVersion): string {
  const names = new Set([...Object.keys(from.sources.partials), ...Object.keys(to.sources.partials)]);
  const parts = [...names].toSorted().map((name) => {
    const [before, after] = [from, to].map(({ sources }) => textOf(sources.partials, name));
    return diffTexts([titleOf(from, name), before], [titleOf(to, name), after]);
  });
  const own = diffTexts([titleOf(from), from.sources.source], [titleOf(to), to.sources.source]);
  return [own, ...parts].join('');
}

function textOf(partials: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(partials, name) ? partials[name] : undefined;
}

function titleOf({ name, number }: PromptVersion, partial?: string): string {
  return `${name}@${number}${partial === undefined ? '' : `, partial ${partial}`}`;
}

type Text = [title: string, text: string | undefined];

/** Source of the form: "Unified Format" in the manual of GNU diffutils. */
function diffTexts([fromTitle, from]: Text, [toTitle, to]: Text): string {
  if (from === to) return '';
  const [a, b] = [linesOf(from), linesOf(to)];
  const lines = compare(a, b);
  const heads = [from === undefined ? '/dev/null' : fromTitle, to === undefined ? '/dev/null' : toTitle];
  return [`--- ${heads[0]}`, `+++ ${heads[1]}`, ...hunks(lines), ''].join('\n');
}

function compare(a: readonly string[], b: readonly string[]): Line[] {
  const shortest = Math.min(a.length, b.length);
  let begin = 0;
  while (begin < shortest && a[begin] === b[begin]) begin++;
  let end = 0;
  while (end < shortest - begin && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [gone, come] = [a.slice(begin, a.length - end), b.slice(begin, b.length - end)];
  return [
    ...toLines(' ', a.slice(0, begin)),
    ...(gone.length + come.length > MOST_COMPARED
      ? [...toLines('-', gone), ...toLines('+', come)]
      : diff(gone, come).map(
          ([what, text]): Line => ({ sign: what === 0 ? ' ' : what > 0 ? '-' : '+', text }),
        )),
    ...toLines(' ', a.slice(a.length - end)),
  ];
}

function toLines(sign: Line['sign'], texts: readonly string[]): Line[] {
  return texts.map((text) => ({ sign, text }));
}

/** The last line has a mark where it has no end, so that it differs from one that has. */
function linesOf(text: string | undefined): string[] {
  if (text === undefined || text === '') return [];
  const lines = text.split('\n');
  const last = lines.pop();
  return last === '' || last === undefined ? lines : [...lines, `${last}\n\\ No newline at end of file`];
}

function hunks(lines: readonly Line[]): string[] {
  const changed = lines.flatMap(({ sign }, index) => (sign === ' ' ? [] : [index]));
  const told: string[] = [];
  let [index, fromLine, toLine] = [0, 1, 1];
  const skipTo = (end: number) => {
    for (; index < end; index++) {
      if (lines[index]?.sign !== '+') fromLine += 1;
      if (lines[index]?.sign !== '-') toLine += 1;
    }
  };
  for (let at = 0; at < changed.length; ) {
    const first = changed[at] ?? 0;
    let last = first;
    while (at < changed.length && (changed[at] ?? 0) <= last + 2 * AROUND + 1) last = changed[at++] ?? last;
    const [begin, end] = [Math.max(0, first - AROUND), Math.min(lines.length, last + AROUND + 1)];
    skipTo(begin);
    const part = lines.slice(begin, end);
    const count = (sign: '-' | '+') => part.filter((line) => line.sign === ' ' || line.sign === sign).length;
    told.push(`@@ -${rangeOf(fromLine, count('-'))} +${rangeOf(toLine, count('+'))} @@`);
    for (const { sign, text } of part) told.push(sign + text);
    skipTo(end);
  }
  return told;
}

/** An empty range is named by the line before it. */
function rangeOf(first: number, count: number): string {
  if (count === 1) return String(first);
  return `${count === 0 ? first - 1 : first},${count}`;
}
