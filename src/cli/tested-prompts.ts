import { join } from 'node:path';
import { compilePrompt, type Prompt } from '../prompts/compile-prompt.ts';
import {
  fileOfPartial,
  fileOfPrompt,
  nameOfFile,
  PromptDirectory,
  type PromptFiles,
} from '../prompts/prompt-directory.ts';
import { type BrokenPrompt, PromptCompiler } from '../prompts/prompt-files.ts';

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

/**
 * @param names of prompts whose faults matter; of all where there is none
 * @throws Error where the directory, or a folder in it, cannot be read
 */
export async function readTestedPrompts(directory: string, names: readonly string[]): Promise<TestedPrompts> {
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
