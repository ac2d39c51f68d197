import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { appendAll } from '../conversation/append-all.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { checkDocument } from './check-document.ts';
import { isBlank, readDocument } from './document.ts';
import {
  checkEnvironmentOf,
  chooseConfigFile,
  type EnvironmentSettings,
  readEnvironment,
} from './environment.ts';
import { type Finding, reportFindings } from './finding.ts';
import type { KnownProvider } from './known-provider.ts';
import { formatPath } from './path.ts';
import { ConfigError, type ConfigProblem, textOf } from './problem.ts';
import { type Config, resolveConfig } from './resolve.ts';
import type { ParsedConfig } from './schema.ts';
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

/** By what a file is told to be another one than before. */
export interface FileState {
  mtimeMs: number;
  size: number;
}

/** A configuration and what it was made from, for whoever follows its changes. */
export interface LoadedConfig {
  config: Config;
  /** The document as it was written, placeholders and all. Literal secrets are still in it. */
  written: JsonObject;
  /** The same with the placeholders filled in. */
  document: JsonObject;
  /** Where the file is, absolute; `null` where there is none. */
  path: string | null;
  /** What the file was when it was read; `null` where there is none. */
  seen: FileState | null;
  /** There was nothing in the file, or comments alone. */
  isBlank: boolean;
  context: ConfigContext;
}

/**
 * Reads the config file that is to be used, or none (then everything comes from the environment).
 * Throws `ConfigError` with all that is wrong.
 */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  return (await openConfig(options)).config;
}

/** Like `loadConfig`, with what the configuration was made from. */
export async function openConfig(options: LoadOptions): Promise<LoadedConfig> {
  const file = chooseConfigFile(options.configFile, options.env, options.cwd);
  if (file === null) return readConfig('', null, options);
  const path = resolve(options.cwd, file);
  // Before it is read: what is written meanwhile is then seen to be another.
  const seen = lookAt(path);
  const loaded = readConfig(await readText(file, options.cwd), file, options);
  return { ...loaded, path, seen };
}

/**
 * Turns the text of a config file into a config. `file` is how errors name it; `null` for no file.
 * Throws `ConfigError` with all that is wrong, not only the first.
 */
export function parseConfig(text: string, file: string | null, context: ConfigContext): Config {
  return readConfig(text, file, context).config;
}

/** Like `parseConfig`, with what the configuration was made from. */
export function readConfig(text: string, file: string | null, context: ConfigContext): LoadedConfig {
  const { env, knownProviders } = context;
  const settings = readEnvironment(env);
  const problems = [...settings.problems, ...checkEnvironmentOf(knownProviders, env)];
  const read = parseFile(text, file ?? 'no file', settings, context);
  appendAll(problems, read.problems);
  if (read.parsed === undefined || problems.length > 0) throw new ConfigError(problems);
  return {
    config: resolveConfig(read.parsed, file, settings, knownProviders, env),
    written: isObject(read.written) ? read.written : {},
    document: isObject(read.value) ? read.value : {},
    path: null,
    seen: null,
    isBlank: isBlank(text),
    context: { env, knownProviders },
  };
}

interface ReadFile {
  parsed: ParsedConfig | undefined;
  value?: JsonValue | undefined;
  written?: JsonValue | undefined;
  problems: ConfigProblem[];
}

function parseFile(
  text: string,
  file: string,
  settings: EnvironmentSettings,
  { env, knownProviders }: ConfigContext,
): ReadFile {
  const document = readDocument(text, env);
  const problems: ConfigProblem[] = document.syntax.map((finding) => ({ file, path: '', ...finding }));
  if (document.value === undefined) {
    return {
      parsed: undefined,
      problems: [...problems, ...reportFindings(document.findings, document, file)],
    };
  }
  const checked = checkDocument(document.value, { env, knownProviders, adminKey: settings.adminKey });
  // A value that could not be read is reported as that, and not again for what it then lacks.
  const unread = new Set(document.findings.map(placeOf));
  const findings = checked.findings.filter((finding) => !unread.has(placeOf(finding)));
  appendAll(problems, reportFindings([...document.findings, ...findings], document, file));
  const { value, written } = document;
  return { parsed: checked.parsed, value, written, problems };
}

function placeOf({ path, at }: Finding): string {
  return `${formatPath(path)} ${at ?? 'value'}`;
}

/** `null` where it cannot be looked at: then it cannot be read either, which is told of. */
function lookAt(path: string): FileState | null {
  try {
    const { mtimeMs, size } = statSync(path);
    return { mtimeMs, size };
  } catch {
    return null;
  }
}

async function readText(file: string, cwd: string): Promise<string> {
  try {
    return textOf(await readFile(resolve(cwd, file)), file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
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
