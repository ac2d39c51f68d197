import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../package-root.ts';

/** The prompts that come with the project. */
const EXAMPLES = new URL('prompts/', PACKAGE_ROOT);

/** Where prompt files are: what the config says is said from where its file is. */
export function findPromptDirectory(directory: string | undefined, configFile: string | null): string {
  if (directory === undefined) return fileURLToPath(EXAMPLES);
  return resolve(configFile === null ? '.' : dirname(configFile), directory);
}
