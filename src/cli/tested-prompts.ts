import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compilePrompt, type Prompt } from '../prompts/compile-prompt.ts';
import {
  fileOfPartial,
  fileOfPrompt,
  listFiles,
  nameOfFile,
  PromptDirectory,
  type PromptFiles,
} from '../prompts/prompt-directory.ts';
import { type BrokenPrompt, PromptCompiler } from '../prompts/prompt-files.ts';
import { readReference } from '../prompts/versions.ts';
import type { CliIo } from './command.ts';
import { type PromptTest, readTestFile, TestFileError } from './prompt-test-file.ts';

/** Prompts whose tests are run. */
export interface TestedPrompts {
  directory: string;
  /** Those that can be used. */
  prompts: readonly Prompt[];
  /** The sources of partials by their paths. */
  partials: readonly (readonly [path: string, source: string])[];
  /** What is wrong with the others: `FILE:LINE: REASON`. */
  faults: readonly string[];
}

/** Where tests and their prompts are. */
export interface TestPlace {
  directory: string;
  /** `NAME` or `NAME@VERSION` of what is tested; all that have tests where there is none. */
  names: readonly string[];
  /** Where it is told what is wrong. */
  io: CliIo;
}

/** By what is called for them: `NAME` or `NAME@VERSION`. */
export type PromptTests = ReadonlyMap<string, readonly PromptTest[]>;

const ENDING = '.test.yaml';

/** The tests of prompts; `undefined` where a file is wrong, or a prompt has none, which is told. */
export async function readTests({ directory, names, io }: TestPlace): Promise<PromptTests | undefined> {
  const files = await orTold(listFiles(directory, ENDING), directory, io);
  if (!files) return undefined;
  const found = files.map((path) => path.slice(0, -ENDING.length)).toSorted();
  if (found.length === 0) io.stderr.write(`fairlead prompts test: no ${ENDING} is in ${directory}\n`);
  let isWrong = found.length === 0;
  const tests = new Map<string, PromptTest[]>();
  for (const reference of names.length > 0 ? names : found) {
    const { name } = readReference(reference);
    const path = join(directory, name + ENDING);
    try {
      if (!found.includes(name)) throw new TestFileError(`fairlead prompts test: there is no ${path}`);
      tests.set(reference, await readTestFile(path, await readFile(path, 'utf8')));
    } catch (error) {
      if (!(error instanceof TestFileError)) throw error;
      io.stderr.write(`${error.message}\n`);
      isWrong = true;
    }
  }
  return isWrong ? undefined : tests;
}

/** `undefined` where the directory cannot be read, or a file is broken, which is told. */
export async function readPrompts({ directory, names, io }: TestPlace): Promise<TestedPrompts | undefined> {
  const tested = await orTold(readTestedPrompts(directory, names), directory, io);
  for (const fault of tested?.faults ?? []) io.stderr.write(`${fault}\n`);
  return tested?.faults.length === 0 ? tested : undefined;
}

/** What is read; `undefined` where the directory cannot be, which is told. */
async function orTold<T>(reading: Promise<T>, directory: string, io: CliIo): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    io.stderr.write(`fairlead prompts test: the prompts in '${directory}' cannot be read: ${message}\n`);
    return undefined;
  }
}

/**
 * @param names of prompts whose faults matter; of all where there is none
 * @throws Error where the directory, or a folder in it, cannot be read
 */
async function readTestedPrompts(directory: string, names: readonly string[]): Promise<TestedPrompts> {
  const files: PromptFiles = (await new PromptDirectory(directory, Date.now).read()) ?? new Map();
  const { prompts, broken } = await new PromptCompiler(compilePrompt).read(files);
  const matters = ({ path }: BrokenPrompt) =>
    names.length === 0 || names.some((name) => fileOfPrompt(name) === path);
  return {
    directory,
    prompts,
    partials: [...files].filter(
      (file): file is [string, string] => nameOfFile(file[0]).isPartial && typeof file[1] === 'string',
    ),
    faults: broken.filter(matters).map((one) => describe(directory, one)),
  };
}

function describe(directory: string, { path, error: { line, partial, reason } }: BrokenPrompt): string {
  const file = join(directory, partial === undefined ? path : fileOfPartial(partial));
  return `${line === undefined ? file : `${file}:${line}`}: ${reason}`;
}
