import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { appendAll } from '../conversation/append-all.ts';
import { readDocument } from './document.ts';
import {
  checkEnvironmentOf,
  chooseConfigFile,
  type EnvironmentSettings,
  readEnvironment,
} from './environment.ts';
import { expectation, explainIssues } from './explain.ts';
import { type Finding, reportFindings } from './finding.ts';
import type { KnownProvider } from './known-provider.ts';
import { formatPath } from './path.ts';
import { ConfigError, type ConfigProblem } from './problem.ts';
import { checkProviders } from './provider-checks.ts';
import { checkReferences } from './references.ts';
import { type Config, resolveConfig } from './resolve.ts';
import { configSchema, type ParsedConfig } from './schema.ts';
import type { Environment } from './substitute.ts';

export interface ConfigContext {
  env: Environment;
  knownProviders: readonly KnownProvider[];
}

export interface LoadOptions extends ConfigContext {
  /** What the command line says (`--config`); goes before `FAIRLEAD_CONFIG` and `./fairlead.yaml`. */
  configFile?: string | undefined;
  cwd: string;
}

/**
 * Reads the config file that is to be used, or none (then everything comes from the environment).
 * Throws `ConfigError` with all that is wrong.
 */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  const file = chooseConfigFile(options.configFile, options.env, options.cwd);
  return file === null
    ? parseConfig('', null, options)
    : parseConfig(await readText(file, options.cwd), file, options);
}

/**
 * Turns the text of a config file into a config. `file` is how errors name it; `null` for no file.
 * Throws `ConfigError` with all that is wrong, not only the first.
 */
export function parseConfig(text: string, file: string | null, context: ConfigContext): Config {
  const settings = readEnvironment(context.env);
  const problems = [...settings.problems, ...checkEnvironmentOf(context.knownProviders, context.env)];
  const { parsed, problems: fileProblems } = parseFile(text, file ?? 'no file', settings, context);
  appendAll(problems, fileProblems);
  if (parsed === undefined || problems.length > 0) throw new ConfigError(problems);
  return resolveConfig(parsed, file, settings, context.knownProviders, context.env);
}

function parseFile(
  text: string,
  file: string,
  settings: EnvironmentSettings,
  { env, knownProviders }: ConfigContext,
): { parsed: ParsedConfig | undefined; problems: ConfigProblem[] } {
  const document = readDocument(text, env);
  const problems: ConfigProblem[] = document.syntax.map((finding) => ({ file, path: '', ...finding }));
  if (document.value === undefined) {
    return {
      parsed: undefined,
      problems: [...problems, ...reportFindings(document.findings, document, file)],
    };
  }
  const parsed = configSchema.safeParse(document.value, { error: expectation });
  // A value that could not be read is reported as that, and not again for what it then lacks.
  const unread = new Set(document.findings.map(placeOf));
  const findings = [
    ...(parsed.success ? [] : explainIssues(parsed.error.issues, document.value)),
    ...checkProviders(document.value, knownProviders, env),
    ...checkReferences(document.value, { knownProviders, env, adminKey: settings.adminKey }),
  ].filter((finding) => !unread.has(placeOf(finding)));
  appendAll(problems, reportFindings([...document.findings, ...findings], document, file));
  return { parsed: parsed.data, problems };
}

function placeOf({ path, at }: Finding): string {
  return `${formatPath(path)} ${at ?? 'value'}`;
}

async function readText(file: string, cwd: string): Promise<string> {
  try {
    return await readFile(resolve(cwd, file), 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'UNKNOWN';
    const message = READ_ERRORS[code] ?? `cannot be read (${code})`;
    throw new ConfigError([{ file, path: '', message }]);
  }
}

const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'this is a directory, not a file',
  EACCES: 'no permission to read it',
};
