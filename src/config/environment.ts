import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { credential, httpUrl, keySecret } from './fields.ts';
import type { KnownProvider } from './known-provider.ts';
import type { ConfigProblem } from './problem.ts';
import type { Environment } from './substitute.ts';

/** The config file that is taken where none is named. */
export const DEFAULT_FILE = 'fairlead.yaml';

/**
 * The config file to use: `--config`, else `FAIRLEAD_CONFIG`, else `./fairlead.yaml` where there is one. `null`: no
 * file, everything comes from the environment. A file that was named need not exist; reading it tells.
 */
export function chooseConfigFile(flag: string | undefined, env: Environment, cwd: string): string | null {
  const named = flag ?? readVariable(env, 'FAIRLEAD_CONFIG');
  if (named !== undefined) return named;
  return existsSync(resolve(cwd, DEFAULT_FILE)) ? DEFAULT_FILE : null;
}

/** What the environment says about the gateway itself. */
export interface EnvironmentSettings {
  host: string | undefined;
  port: number | undefined;
  /** Where the gateway keeps its files. */
  dataDirectory: string;
  adminKey: string | undefined;
  problems: ConfigProblem[];
}

export function readEnvironment(env: Environment): EnvironmentSettings {
  const problems: ConfigProblem[] = [];
  const portText = readVariable(env, 'PORT');
  const port = portText === undefined ? undefined : parsePort(portText);
  if (portText !== undefined && port === undefined) {
    problems.push(environmentProblem('PORT', 'expected a port from 0 to 65535'));
  }
  const adminKey = readVariable(env, 'FAIRLEAD_ADMIN_KEY');
  problems.push(...checkVariable(env, 'FAIRLEAD_ADMIN_KEY', keySecret()));
  return {
    host: readVariable(env, 'HOST'),
    port,
    dataDirectory: readVariable(env, 'FAIRLEAD_DATA') ?? './data',
    adminKey,
    problems,
  };
}

export function defaultStorePath(dataDirectory: string): string {
  return join(dataDirectory, 'fairlead.db');
}

/** The key of a provider in the environment and the variable that holds it; the first one that is set. */
export function findProviderKey(
  provider: KnownProvider,
  env: Environment,
): { variable: string; key: string } | undefined {
  for (const variable of provider.envKeys) {
    const key = readVariable(env, variable);
    if (key !== undefined) return { variable, key };
  }
  return undefined;
}

/** Whether a provider is there without being written in the file. */
export function isPresent(provider: KnownProvider, env: Environment): boolean {
  return provider.inProcess !== undefined || findProviderKey(provider, env) !== undefined;
}

/** A variable's value; one that is set to nothing counts as not set. */
export function readVariable(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === '' ? undefined : value;
}

/** What is wrong with the variables that providers are made from; nobody looks at those of absent providers. */
export function checkEnvironmentOf(providers: readonly KnownProvider[], env: Environment): ConfigProblem[] {
  return providers.flatMap((provider) => {
    const variable = findProviderKey(provider, env)?.variable;
    if (variable === undefined) return [];
    const problems = checkVariable(env, variable, credential());
    if (provider.envBaseUrl !== undefined)
      problems.push(...checkVariable(env, provider.envBaseUrl, httpUrl()));
    return problems;
  });
}

/** Holds a variable that is set against the schema of what would be written in the file. */
function checkVariable(env: Environment, variable: string, schema: z.ZodType): ConfigProblem[] {
  const value = readVariable(env, variable);
  const issue = value === undefined ? undefined : schema.safeParse(value).error?.issues[0];
  return issue === undefined ? [] : [environmentProblem(variable, `expected ${issue.message}`)];
}

function environmentProblem(variable: string, message: string): ConfigProblem {
  return { file: 'environment', path: variable, message };
}

function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65535 ? port : undefined;
}
