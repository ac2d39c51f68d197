import { Dotprompt, type ParsedPrompt } from 'dotprompt';
import { type Document, isMap, LineCounter, parseDocument } from 'yaml';
import { PromptFileError } from './problem.ts';

/** A `*.prompt` file, read. */
export interface PromptFile {
  /** As the dotprompt package reads it. */
  parsed: ParsedPrompt;
  /** Lines of the file before its template. */
  linesBefore: number;
  /** The line of a field of the front matter, or of the innermost field around it that is there. */
  lineOf(path: readonly (string | number)[]): number | undefined;
}

/** As dotprompt finds it (`FRONTMATTER_AND_BODY_REGEX` of its parser). */
const FRONT_MATTER = /^---\s*(?:\r\n|\r|\n)([\s\S]*?)(?:\r\n|\r|\n)---\s*(?:\r\n|\r|\n)([\s\S]*)$/;

/** Reads files; what it reads has no state. */
const READER = new Dotprompt();

/**
 * Source of the format: google.github.io/dotprompt, "Prompt files".
 *
 * @throws PromptFileError
 */
export function readPromptFile(source: string): PromptFile {
  const text = source.startsWith('\uFEFF') ? source.slice(1) : source;
  const [, frontMatter, body] = FRONT_MATTER.exec(text) ?? [];
  if (frontMatter === undefined || body === undefined) {
    if (/^---\s*$/m.test(text.split('\n', 1)[0] ?? ''))
      throw new PromptFileError("the front matter has no end: a line '---'", 1);
    return { parsed: READER.parse(text), linesBefore: 0, lineOf: () => undefined };
  }
  const lines = new LineCounter();
  const document = parseDocument(frontMatter, { lineCounter: lines });
  const [error] = document.errors;
  // Behind the line that opens the front matter.
  if (error) throw new PromptFileError(firstLine(error.message), (error.linePos?.[0].line ?? 1) + 1);
  if (!isMap(document.contents) && document.contents !== null)
    throw new PromptFileError('the front matter must be a mapping', 2);
  const begin = text.length - body.length + (body.length - body.trimStart().length);
  return {
    parsed: READER.parse(text),
    linesBefore: text.slice(0, begin).split('\n').length - 1,
    lineOf: (path) => findLine(document, lines, path),
  };
}

function firstLine(message: string): string {
  return (message.split('\n', 1)[0] ?? message).replace(/ at line \d+, column \d+:?$/, '');
}

function findLine(
  document: Document,
  lines: LineCounter,
  path: readonly (string | number)[],
): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => String(key) === String(path[length - 1]))
      : undefined;
    const range = (pair?.key as { range?: readonly number[] } | undefined)?.range;
    if (range?.[0] !== undefined) return lines.linePos(range[0]).line + 1;
  }
  return undefined;
}
