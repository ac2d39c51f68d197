import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { appendAll } from '../conversation/append-all.ts';
import { cloudName, credential, httpUrl, keySecret, masterSecret, text } from './fields.ts';
import { type KnownProvider, SETTING_NAMES, type SettingName } from './known-provider.ts';
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
  appendAll(problems, checkVariable(env, 'FAIRLEAD_ADMIN_KEY', keySecret()));
  for (const variable of ['FAIRLEAD_SECRET', 'FAIRLEAD_SECRET_PREVIOUS']) {
    appendAll(problems, checkVariable(env, variable, masterSecret()));
  }
  if (readVariable(env, 'FAIRLEAD_SECRET') === undefined && readVariable(env, 'FAIRLEAD_SECRET_PREVIOUS')) {
    problems.push(
      environmentProblem(
        'FAIRLEAD_SECRET_PREVIOUS',
        'is the secret before FAIRLEAD_SECRET, which is not set',
      ),
    );
  }
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

/** Fields of credentials that need not be there. */
const OPTIONAL_FIELDS: ReadonlySet<string> = new Set(['sessionToken', 'file']);

/** Credentials of the provider's own kind in the environment, by field; empty where they are found by themselves. */
export function findSignIn({ signIn }: KnownProvider, env: Environment): Record<string, string> | undefined {
  if (!signIn) return undefined;
  const found: Record<string, string> = {};
  for (const [field, variable] of Object.entries(signIn.env)) {
    const value = readVariable(env, variable);
    if (value !== undefined) found[field] = value;
    else if (!OPTIONAL_FIELDS.has(field)) return undefined;
  }
  return Object.keys(found).length > 0 || signIn.ambient === true ? found : undefined;
}

/** A setting of a provider from the environment. */
export function findSetting(
  provider: KnownProvider,
  name: SettingName,
  env: Environment,
): { variable: string; value: string } | undefined {
  for (const variable of provider.settings?.[name]?.env ?? []) {
    const value = readVariable(env, variable);
    if (value !== undefined) return { variable, value };
  }
  return undefined;
}

/** Whether a provider is there without being written in the file: its key, its address and what else it needs are. */
export function isPresent(provider: KnownProvider, env: Environment): boolean {
  if (provider.inProcess !== undefined) return true;
  if (findProviderKey(provider, env) === undefined && findSignIn(provider, env) === undefined) return false;
  const { baseUrl, baseUrlAt, envBaseUrl } = provider;
  const hasAddress =
    baseUrl !== undefined ||
    baseUrlAt !== undefined ||
    (envBaseUrl !== undefined && readVariable(env, envBaseUrl) !== undefined);
  const lacks = SETTING_NAMES.some(
    (name) => provider.settings?.[name]?.required === true && findSetting(provider, name, env) === undefined,
  );
  return hasAddress && !lacks;
}

/** A variable's value; one that is set to nothing counts as not set. */
export function readVariable(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === '' ? undefined : value;
}

/** What is wrong with the variables that providers are made from; nobody looks at those of absent providers. */
export function checkEnvironmentOf(providers: readonly KnownProvider[], env: Environment): ConfigProblem[] {
  return providers
    .filter((provider) => isPresent(provider, env))
    .flatMap((provider) => [
      ...credentialVariables(provider, env).flatMap((variable) => checkVariable(env, variable, credential())),
      ...(provider.envBaseUrl === undefined ? [] : checkVariable(env, provider.envBaseUrl, httpUrl())),
      ...SETTING_NAMES.flatMap((name) => {
        const variable = findSetting(provider, name, env)?.variable;
        return variable === undefined ? [] : checkVariable(env, variable, SETTING_SCHEMAS[name]);
      }),
    ]);
}

const SETTING_SCHEMAS: Readonly<Record<SettingName, z.ZodType>> = {
  region: cloudName('a region such as us-east-1'),
  location: cloudName('a location such as europe-west4 or global'),
  project: text('a project'),
  apiVersion: cloudName('an api-version such as 2024-10-21 or preview'),
};

function credentialVariables(provider: KnownProvider, env: Environment): string[] {
  const key = findProviderKey(provider, env);
  if (key) return [key.variable];
  return Object.values(findSignIn(provider, env) && provider.signIn ? provider.signIn.env : {});
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
