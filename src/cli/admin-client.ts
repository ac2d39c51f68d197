import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { BLANK_FILE, isBlank, readDocument } from '../config/document.ts';
import { reportFindings } from '../config/finding.ts';
import { ConfigError, textOf } from '../config/problem.ts';
import { isObject, type JsonObject, tryParseJson } from '../conversation/json.ts';
import type { CliIo } from './command.ts';

/** Options of all commands that talk to a running gateway. */
export const ADMIN_OPTIONS = {
  url: { type: 'string' },
  'admin-key': { type: 'string' },
} as const;

export const ADMIN_USAGE = `  --url URL         the gateway; else FAIRLEAD_URL, else http://127.0.0.1:8080
  --admin-key KEY   else FAIRLEAD_ADMIN_KEY`;

const DEFAULT_URL = 'http://127.0.0.1:8080';
const TIMEOUT_MS = 60_000;

/** The gateway does not do what was asked, with its own words. */
export class AdminError extends Error {
  /** Of its answer; absent where there was none. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

export interface AdminConnection {
  /** @throws AdminError where it cannot be reached, or refuses */
  ask(method: string, path: string, body?: JsonObject, timeoutMs?: number): Promise<JsonObject>;
}

/** A connection to the admin API that the command line or the environment names. */
export function connectAdmin(
  flags: { url?: string | undefined; 'admin-key'?: string | undefined },
  { env }: Pick<CliIo, 'env'>,
): AdminConnection {
  const url = (flags.url ?? (env['FAIRLEAD_URL'] || DEFAULT_URL)).replace(/\/+$/, '');
  const key = flags['admin-key'] ?? env['FAIRLEAD_ADMIN_KEY'];
  if (!key) throw new AdminError('there is no admin key: give --admin-key, or set FAIRLEAD_ADMIN_KEY');
  if (!URL.canParse(url)) throw new AdminError('the URL of the gateway is none: write http://HOST:PORT');
  return {
    ask: (method, path, body, timeoutMs) => ask(`${url}/admin/v1${path}`, key, method, body, timeoutMs),
  };
}

async function ask(
  url: string,
  key: string,
  method: string,
  body: JsonObject | undefined,
  timeoutMs = TIMEOUT_MS,
): Promise<JsonObject> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch (error) {
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    const reason = cause instanceof Error ? cause.message : message;
    throw new AdminError(`the gateway cannot be reached at ${new URL(url).origin}: ${reason}`);
  }
  const answer = tryParseJson(text);
  if (response.ok && isObject(answer)) return answer;
  const error = isObject(answer) && isObject(answer['error']) ? answer['error'] : {};
  const { status } = response;
  throw new AdminError(String(error['message'] ?? `the gateway answered ${status}`), status);
}

/** Whatever a variable is, it is the gateway's: here it only must not be missed. */
const ANY_VARIABLE: Readonly<Record<string, string>> = new Proxy({}, { get: () => '' });

/**
 * A file of configuration as it was written: its placeholders are for the gateway to fill in.
 *
 * @throws ConfigError
 */
export async function readWritten(file: string, cwd: string): Promise<JsonObject> {
  const bytes = await readFile(resolve(cwd, file)).catch((error: NodeJS.ErrnoException) => {
    throw new ConfigError([{ file, path: '', message: `cannot be read (${error.code ?? error.message})` }]);
  });
  const text = textOf(bytes, file);
  // `export > FILE` that fails leaves an empty file: applied, it would take everything away.
  if (isBlank(text)) throw new ConfigError([{ file, path: '', message: BLANK_FILE }]);
  const document = readDocument(text, ANY_VARIABLE);
  const problems = [
    ...document.syntax.map((finding) => ({ file, path: '', ...finding })),
    ...reportFindings(document.findings, document, file),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  if (isObject(document.written)) return document.written;
  throw new ConfigError([{ file, path: '', message: 'expected a mapping' }]);
}
