import { Dotprompt, type ParsedPrompt } from 'dotprompt';
import { type Document, isMap, isSeq, LineCounter, parseDocument } from 'yaml';
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

/** Two lines `---`. Dotprompt wants something between them, and a line break behind the second one, which some editors leave out. */
const FRONT_MATTER =
  /^---[ \t]*(?:\r\n|\r|\n)(?:([\s\S]*?)(?:\r\n|\r|\n))??---[ \t]*(?:(?:\r\n|\r|\n)([\s\S]*))?$/;

/** Reads files; what it reads has no state. */
const READER = new Dotprompt();

/**
 * Source of the format: google.github.io/dotprompt, "Prompt files".
 *
 * @throws PromptFileError
 */
export function readPromptFile(source: string): PromptFile {
  const text = withoutMark(source);
  const found = FRONT_MATTER.exec(text);
  if (!found) {
    if (/^---\s*$/m.test(text.split('\n', 1)[0] ?? ''))
      throw new PromptFileError("the front matter has no end: a line '---'", 1);
    return { parsed: READER.parse(text), linesBefore: 0, lineOf: () => undefined };
  }
  const [, frontMatter = '', body = ''] = found;
  const lines = new LineCounter();
  const document = parseDocument(frontMatter, { lineCounter: lines });
  checkFrontMatter(document, (path) => findLine(document, lines, path));
  const begin = text.length - body.length + (body.length - body.trimStart().length);
  return {
    parsed: READER.parse(`---\n${frontMatter === '' ? '{}' : frontMatter}\n---\n${body}`),
    linesBefore: text.slice(0, begin).split('\n').length - 1,
    lineOf: (path) => findLine(document, lines, path),
  };
}

/** The same file with another model. `source`: of one that can be read. */
export function withModel(source: string, model: string): string {
  const text = withoutMark(source);
  const [, frontMatter = '', body = ''] = FRONT_MATTER.exec(text) ?? [undefined, '', text];
  const document = parseDocument(frontMatter);
  document.set('model', model);
  return `---\n${document.toString()}---\n${body}`;
}

/** Some editors begin a file with a byte order mark. */
function withoutMark(source: string): string {
  return source.startsWith('\uFEFF') ? source.slice(1) : source;
}

/** What dotprompt would read otherwise than it is meant, or not at all. */
function checkFrontMatter(document: Document.Parsed, lineOf: PromptFile['lineOf']): void {
  const [error] = document.errors;
  // Behind the line that opens the front matter.
  if (error) throw new PromptFileError(firstLine(error.message), (error.linePos?.[0].line ?? 1) + 1);
  if (!isMap(document.contents) && document.contents !== null)
    throw new PromptFileError('the front matter must be a mapping', 2);
  for (const key of Object.keys(readValues(document) ?? {})) {
    // `NAME.FIELD` is put into what an object has as `NAME`, be it its own or not.
    const space = key.slice(0, Math.max(0, key.lastIndexOf('.')));
    if (space in Object.prototype)
      throw new PromptFileError(`'${key}' cannot be a field of the front matter`, lineOf([key]));
  }
}

function readValues(document: Document.Parsed): object | null {
  try {
    return document.toJS() as object | null;
  } catch (error) {
    // It has too many aliases, or one of what is not there.
    const reason = error instanceof Error ? error.message : String(error);
    throw new PromptFileError(`the front matter cannot be read: ${firstLine(reason)}`, 2, { cause: error });
  }
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
    const step = path[length - 1];
    const pair = isMap(parent) ? parent.items.find(({ key }) => String(key) === String(step)) : undefined;
    const node: unknown = isSeq(parent) ? parent.items[Number(step)] : pair?.key;
    const range = (node as { range?: readonly number[] } | undefined)?.range;
    if (range?.[0] !== undefined) return lines.linePos(range[0]).line + 1;
  }
  return undefined;
}
