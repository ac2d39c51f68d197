import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { startApp } from '../../src/app.ts';
import { openConfig, readConfig } from '../../src/config/load.ts';
import { openLog } from '../../src/telemetry/redacting-log.ts';
import type { FirstSecrets } from '../../src/tenants/first-start.ts';
import { loadDeclarations } from '../../src/upstream/load-declarations.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { placeEmptyStore } from './empty-store.ts';

export const TEST_KEY = 'sk-fl-test-key-of-acme-000000000000';
/** For `FAIRLEAD_SECRET`: 32 bytes, which are taken as they are. A passphrase takes scrypt's 0.2 s at every start. */
export const SECRET_KEY = '5ec4e7'.padEnd(64, '0');
export const ADMIN_KEY = 'sk-fl-admin-test-key-0000000000000';

export interface TestGateway {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  /** What the first start made; `undefined` where it made nothing. */
  firstSecrets: FirstSecrets | undefined;
  /** A POST with the tenant's key; `body` is sent as JSON unless it is text or bytes. */
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
  get(path: string, key?: string): Promise<Response>;
  /** All usage records, newest first, once at least `count` have been written. */
  calls(count?: number): Promise<UsageRecord[]>;
  /** Everything logged so far, as text. */
  logs(): string;
  /** Has it read its file again; only where `options.file` gave it one. */
  reload(): Promise<void>;
  /** However often it is told. */
  stop(): Promise<void>;
}

export interface GatewayOptions {
  /** The config as the text of a file in the gateway's folder, which is watched. Goes before `config`. */
  file?: string;
  /** Called when the file was read for the start. */
  afterRead?: () => Promise<void>;
  /** Where the store and the file are; one that is given is not removed. */
  folder?: string;
  env?: Record<string, string>;
}

/** What `GET /admin/v1/calls` gives. */
interface CallPage {
  data: UsageRecord[];
  nextCursor: string | null;
}

/** A test has no issuer of tokens unless it stands one in. */
const refuseToFetch: typeof fetch = () =>
  Promise.reject(new Error('there is no issuer of tokens in this test'));

/**
 * A gateway in this process, on a free port, with a real SQLite file. `config` is the config language as an object;
 * tenant `acme` with key `TEST_KEY` for all models is there unless it names tenants.
 */
export async function startGateway(
  config: object = {},
  fetchToken: typeof fetch = refuseToFetch,
  options: GatewayOptions = {},
): Promise<TestGateway> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'fairlead-')));
  const declarations = await loadDeclarations();
  const text = stringify({
    server: { port: 0, drainTimeout: '5s' },
    tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
    ...config,
  });
  const env = { FAIRLEAD_DATA: folder, FAIRLEAD_ADMIN_KEY: ADMIN_KEY, ...options.env };
  const context = { env, knownProviders: declarations };
  if (options.file !== undefined) await writeFile(join(folder, 'fairlead.yaml'), options.file);
  const loaded =
    options.file === undefined
      ? readConfig(text, 'test.yaml', context)
      : await openConfig({ ...context, configFile: 'fairlead.yaml', cwd: folder });
  await options.afterRead?.();
  await placeEmptyStore(join(folder, 'fairlead.db'));
  let logged = '';
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk);
      done();
    },
  });
  const app = await startApp(loaded, declarations, openLog('debug', sink), fetchToken);

  const get = (path: string, key = TEST_KEY) =>
    fetch(app.url + path, { headers: { authorization: `Bearer ${key}` } });
  const readCalls = async (): Promise<UsageRecord[]> => {
    const calls: UsageRecord[] = [];
    for (let page: CallPage | undefined; page?.nextCursor !== null; ) {
      const cursor = page ? `&cursor=${encodeURIComponent(page.nextCursor)}` : '';
      page = (await (await get(`/admin/v1/calls?limit=1000${cursor}`, ADMIN_KEY)).json()) as CallPage;
      calls.push(...page.data);
    }
    return calls;
  };
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    await app.stop();
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
  };
  return {
    url: app.url,
    firstSecrets: app.firstSecrets,
    get,
    post: (path, body, init = {}) =>
      fetch(app.url + path, {
        method: 'POST',
        body:
          typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
        ...init,
        headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json', ...init.headers },
      }),
    calls: async (count = 1) => {
      // Records are written in batches a moment after the call.
      for (let waited = 0; waited < 200; waited++) {
        const calls = await readCalls();
        if (calls.length >= count) return calls;
        await sleep(25);
      }
      throw new Error(`there are fewer than ${count} usage records`);
    },
    logs: () => logged,
    reload: () => app.reload(),
    stop: () => (stopping ??= stop()),
  };
}
