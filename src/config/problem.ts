import { decodeUtf8, findBadUtf8 } from '../conversation/utf8.ts';

/** One thing that is wrong with a config, ready to be shown. Never holds a secret's value. */
export interface ConfigProblem {
  /** The file as the user named it, or what else the value came from (`environment`). */
  file: string;
  /** From 1; absent where there is no line to point at. */
  line?: number;
  column?: number;
  /** `models.smart.targets[0]`; empty for the whole file. */
  path: string;
  /** What was expected, what was found, and often what to do. */
  message: string;
}

export function formatProblem(problem: ConfigProblem): string {
  const position = problem.line === undefined ? '' : `:${problem.line}:${problem.column ?? 1}`;
  const path = problem.path === '' ? '' : `${problem.path}: `;
  return `${problem.file}${position}: ${path}${problem.message}`;
}

/** A config that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** The text of a file. @throws ConfigError where its bytes are no UTF-8 */
export function textOf(bytes: Buffer, file: string): string {
  const text = decodeUtf8(bytes);
  if (text !== undefined) return text;
  const lines = findBadUtf8(bytes).before.split('\n');
  const column = (lines.at(-1) ?? '').length + 1;
  const message = 'this is no UTF-8: save the file in that encoding';
  throw new ConfigError([{ file, line: lines.length, column, path: '', message }]);
}
