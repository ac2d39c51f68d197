import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Pool } from 'undici';
import { stringify } from 'yaml';
import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config/load.ts';
import { isObject, tryParseJson } from '../../src/conversation/json.ts';
import { openLog } from '../../src/telemetry/redacting-log.ts';
import { loadDeclarations } from '../../src/upstream/load-declarations.ts';
import { type AdminClient, adminClient } from '../support/admin.ts';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { scale } from '../support/scale.ts';
import { DOORS, type DoorRequest } from './door-requests.ts';
import { FOREIGN } from './foreign-names.ts';
import { Random } from './random.ts';
import { seedNumbers } from './run-seeds.ts';
import { answerAtRandom, PROVIDER_KEY } from './upstream-answers.ts';

/**
 * Mutated requests through every door, over HTTP, to providers of every kind that answer with recordings, sound ones and
 * mutated ones. Whatever comes: no failure of the gateway, no call without an end, nothing left over.
 */
const CALLS = scale({ sample: 400, heavy: 100_000 });
/** Calls that run at a time: each lane has its own providers, so that a provider knows whose call it answers. */
const LANES = 8;
/** No call takes longer, whatever it meets. */
const CALL_MS = 60_000;

/** The kinds of providers, and models that each is asked for. */
const KINDS: Readonly<Record<string, { models: string[]; settings?: object; path?: string }>> = {
  openai: { models: ['gpt-4.1', 'gpt-5'], path: '/v1' },
  'openai-compatible': { models: ['some-model', 'claude-like'], path: '/v1' },
  mistral: { models: ['magistral-medium'], path: '/v1' },
  cohere: { models: ['command-a'], path: '/compatibility/v1' },
  deepseek: { models: ['deepseek-chat'], path: '/v1' },
  alibaba: { models: ['qwen3-max', 'qwq-plus'], path: '/compatible-mode/v1' },
  moonshot: { models: ['kimi-k2.5'], path: '/v1' },
  openrouter: { models: ['anthropic/claude-sonnet-4.5'], path: '/api/v1' },
  anthropic: { models: ['claude-sonnet-4-5', 'claude-opus-4-7', 'claude-3-haiku'] },
  gemini: { models: ['gemini-2.5-flash', 'gemini-3-pro-preview', 'gemini-2.0-flash'] },
  vertex: { models: ['gemini-2.5-pro', 'claude-sonnet-4-5'], settings: { project: 'p', location: 'global' } },
  'azure-openai': { models: ['gpt-4.1'], settings: { apiVersion: '2024-10-21' } },
  bedrock: {
    models: ['anthropic.claude-sonnet-4-5', 'amazon.nova-pro-v1:0', 'qwen.qwen3-32b-v1:0'],
    settings: { region: 'us-east-1' },
  },
};

/** One changed byte must not make it another lane's: the call would be answered by providers that its own lane knows nothing of. */
function laneName(lane: number): string {
  return String(lane).repeat(2);
}

interface Lane {
  random: Random;
  /** Whether all that its providers have answered was sound. */
  sound: boolean;
  /** Calls so far, and during which of them one of its providers last answered what was not sound. */
  calls: number;
  unsoundAt: number;
  /** Bodies that its providers should not have got. */
  leaks: string[];
}

const lanes: Lane[] = Array.from({ length: LANES }, () => ({
  random: new Random(0),
  sound: true,
  calls: 0,
  unsoundAt: Number.NEGATIVE_INFINITY,
  leaks: [],
}));

async function startProviders() {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const [, number, path = ''] = /^\/lane(\d+)(.*)$/.exec(request.url ?? '') ?? [];
      const lane = lanes[Number(number)];
      assert.ok(lane, `nobody asks ${request.url}`);
      const body = Buffer.concat(chunks).toString();
      if (body.includes(FOREIGN)) lane.leaks.push(body.slice(0, 2_000));
      if (answerAtRandom(lane.random, response, path, body)) return;
      lane.sound = false;
      lane.unsoundAt = lane.calls;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** May call every model, but not all of any provider. */
const LIMITED_KEY = 'sk-fl-limited-key-of-the-fuzz-0000';

function limitedModels(): string[] {
  return lanes.flatMap((_, lane) => [
    `any-${laneName(lane)}`,
    ...Object.entries(KINDS).flatMap(([adapter, { models }]) =>
      models.map((model) => `${adapter}-${laneName(lane)}/${model}`),
    ),
  ]);
}

function config(providersUrl: string): object {
  const providers: Record<string, object> = {};
  const models: Record<string, object> = {};
  for (let lane = 0; lane < LANES; lane++) {
    for (const [adapter, { settings, path = '' }] of Object.entries(KINDS)) {
      const baseUrl = `${providersUrl}/lane${lane}${path}`;
      providers[`${adapter}-${laneName(lane)}`] = {
        adapter,
        baseUrl,
        ...settings,
        accounts: [{ name: 'main', apiKey: PROVIDER_KEY }],
      };
    }
    // What the catalogue says of their last days would make the calendar a part of this test.
    const targets = ['openai/gpt-4.1', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash'].map(
      (target) => ({ target: target.replace('/', `-${laneName(lane)}/`), retires: 'never' }),
    );
    models[`any-${laneName(lane)}`] = { targets };
  }
  return {
    server: { port: 0, drainTimeout: '5s', bodyLimit: '2mb', uploadLimit: '4mb' },
    tenants: {
      acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
      limited: { models: limitedModels(), keys: [{ name: 'app', secret: LIMITED_KEY }] },
    },
    providers,
    models,
  };
}

function pickModel(random: Random, lane: number): string {
  if (random.chance(0.1)) return 'echo/echo';
  if (random.chance(0.1)) return `any-${laneName(lane)}`;
  if (random.chance(0.01))
    return `openai-${laneName(lane)}/${random.pick(['', '..', '%2F', 'a b', '\u0000', 'x'.repeat(300)])}`;
  const [adapter, { models }] = random.pick(Object.entries(KINDS));
  return `${adapter}-${laneName(lane)}/${random.pick(models)}`;
}

async function startFuzzed(providersUrl: string) {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-fuzz-'));
  const declarations = await loadDeclarations();
  const env = { FAIRLEAD_DATA: folder, FAIRLEAD_ADMIN_KEY: ADMIN_KEY };
  const parsed = readConfig(stringify(config(providersUrl)), 'fuzz.yaml', {
    env,
    knownProviders: declarations,
  });
  const problems: string[] = [];
  const rejected = new Set<string>();
  const sink = new Writable({
    write(chunk, _encoding, done) {
      // That a provider refuses our key, or has no such model, is its doing here.
      const line = String(chunk);
      const [, change, provider = ''] =
        /"event":"credential_(rejected|accepted)","provider":"([^"]+)"/.exec(line) ?? [];
      if (change === 'rejected') rejected.add(provider);
      if (change === 'accepted') rejected.delete(provider);
      const isOurs =
        /"level":[56]0/.test(line) && !/"event":"(credential_rejected|model_gone|upstream_)/.test(line);
      if (isOurs || line.includes(PROVIDER_KEY)) problems.push(line);
      done();
    },
  });
  // Nobody signs in: every account has a key.
  const noFetch = () => Promise.reject(new Error('nobody signs in here'));
  const app = await startApp(parsed, declarations, openLog('debug', sink), noFetch);
  return {
    url: app.url,
    /** What was logged as an error, each of which would be one of ours, and what tells a secret. */
    problems,
    /** Providers whose credential is out. */
    rejected,
    stop: async () => {
      await app.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Outcome {
  status: number | 'left' | 'cut';
  text: string;
  type: string;
}

async function call(
  client: Pool,
  random: Random,
  { method, path, headers, body, namesForeign }: DoorRequest,
): Promise<Outcome> {
  const leaves = random.chance(0.02);
  const key = namesForeign || random.chance(0.2) ? LIMITED_KEY : TEST_KEY;
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(new Error('the call has no end')), CALL_MS);
  try {
    const answering = client.request({
      method,
      path,
      headers: { authorization: `Bearer ${key}`, ...headers },
      body: body ?? null,
      signal: control.signal,
    });
    if (leaves) {
      for (let turn = random.below(12); turn > 0; turn--) await nextTurn();
      control.abort(LEFT);
    }
    const response = await answering;
    const type = String(response.headers['content-type'] ?? '');
    const text = await response.body.text().catch((error: unknown) => {
      if (isObject(error) && error['code'] === 'UND_ERR_SOCKET') return undefined;
      throw error;
    });
    return text === undefined
      ? { status: 'cut', text: '', type }
      : { status: response.statusCode, text, type };
  } catch (error) {
    if (error === LEFT || (leaves && control.signal.aborted)) return { status: 'left', text: '', type: '' };
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

const LEFT = new Error('the client leaves');

/** What the last words of a stream are, by its door. */
const STREAM_ENDS: Readonly<Record<string, RegExp>> = {
  chat: /data: \[DONE\]|"error"/,
  completions: /data: \[DONE\]|"error"/,
  responses: /"response\.(completed|incomplete|failed)"|"error"/,
  messages: /message_stop|"error"/,
  gemini: /"finishReason"|"finish_reason"|"blockReason"|"block_reason"|"error"/,
};

/** Bytes of any other kind have no place for an error: where their provider breaks off, cutting the connection is the only honest end. */
const TELLS_ERRORS = /^(?:application\/json|text\/event-stream)/;

/** They go to the provider that keeps what they name, which may be another lane's. */
const KEPT_ELSEWHERE = new Set(['batches', 'look-ups']);

/** What a provider keeps is asked for by other lanes, too: what came of that may meet the call after it. */
function wasUnsound({ calls, unsoundAt }: Lane): boolean {
  return calls - unsoundAt <= 1;
}

/** A credential that was not taken stays out for a while; the calls that follow are to reach their providers all the same. */
async function readmit(admin: AdminClient, providers: readonly string[]): Promise<void> {
  for (const provider of providers) await admin.must('POST', `/providers/${provider}/accounts/main/probe`);
}

function check(door: string, { status, text, type }: Outcome, lane: Lane): void {
  if (status === 'left') return;
  if (status === 'cut') {
    assert.ok(!lane.sound && !TELLS_ERRORS.test(type), 'the connection was cut');
    return;
  }
  assert.notEqual(status, 500, text);
  assert.ok(!text.includes(PROVIDER_KEY), `a provider's key was told: ${text.slice(0, 500)}`);
  const isRefusal = text.includes('upstream_credentials_rejected') && wasUnsound(lane);
  // Providers that answered before that they want to be left alone are.
  const isLeftAlone = /said when (?:it|they) may be called again/.test(text);
  if (lane.sound && !KEPT_ELSEWHERE.has(door) && !isRefusal && !isLeftAlone)
    assert.ok(status < 500, `${status} though the provider did all right: ${text.slice(0, 500)}`);
  const ends = STREAM_ENDS[door];
  if (status === 200 && type.startsWith('text/event-stream') && ends) {
    assert.match(text, ends, 'a stream just ended');
  }
  if (status < 400) return;
  const body = tryParseJson(text);
  assert.ok(
    isObject(body) && isObject(body['error']),
    `${status} without an error in its words: ${text.slice(0, 300)}`,
  );
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes that are held once all that was under way is over. */
async function heldBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 6; round++) {
    await sleep(100);
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    least = Math.min(least, heapUsed + external);
  }
  return least;
}

function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

test('mutated requests and answers through every door: no failure, no hang, no growth', {
  timeout: 3_600_000,
}, async (t) => {
  const before = resources();
  const providers = await startProviders();
  const gateway = await startFuzzed(providers.url);
  const client = new Pool(gateway.url, { connections: LANES, headersTimeout: 0, bodyTimeout: 0 });
  const admin = adminClient(gateway.url);
  const seeds = seedNumbers(CALLS);
  const statuses = new Map<string, number>();
  const reached = new Set<string>();
  const failures: string[] = [];
  const held: number[] = [];
  let next = 0;

  const runLane = async (number: number, end: number): Promise<void> => {
    const lane = lanes[number];
    assert.ok(lane);
    while (next < end && failures.length < 20) {
      const seed = seeds[next++] ?? 0;
      const random = new Random(seed);
      // The provider's choices do not depend on when it is asked.
      lane.random = new Random(seed ^ 0x5bd1e995);
      const out = [...gateway.rejected].filter((provider) => provider.endsWith(`-${laneName(number)}`));
      if (out.length > 0) await readmit(admin, out);
      lane.calls += 1;
      lane.sound = true;
      const [door, make] = random.pick(DOORS);
      const model = pickModel(random, number);
      const request = make(random, model, laneName(number));
      try {
        const outcome = await call(client, random, request);
        check(door, outcome, lane);
        const kind = `${door} ${outcome.status}`;
        statuses.set(kind, (statuses.get(kind) ?? 0) + 1);
        if (outcome.status === 200) reached.add(door);
      } catch (error) {
        failures.push(
          `FAIRLEAD_FUZZ_SEED=${seed} ${request.method} ${request.path.slice(0, 100)} (${model}): ${String(error)}`,
        );
      }
    }
  };

  const parts = scale({ sample: 2, heavy: 10 });
  for (let part = 1; part <= parts; part++) {
    const end = Math.ceil((seeds.length * part) / parts);
    await Promise.all(lanes.map((_, number) => runLane(number, end)));
    held.push(await heldBytes());
  }
  await client.close();
  await gateway.stop();
  await providers.close();
  await sleep(100);
  t.diagnostic(
    [...statuses]
      .sort()
      .map(([kind, count]) => `${kind}: ${count}`)
      .join(', '),
  );
  t.diagnostic(`held after each part, MB: ${held.map((bytes) => (bytes / 1e6).toFixed(1)).join(' ')}`);
  assert.deepEqual(failures, []);
  assert.deepEqual(gateway.problems, []);
  assert.deepEqual(
    lanes.flatMap(({ leaks }) => leaks),
    [],
  );
  assert.deepEqual(resources(), before);
  if (seeds.length < CALLS) return;
  const doors = new Set(DOORS.map(([name]) => name));
  assert.ok(reached.size >= scale({ sample: doors.size - 3, heavy: doors.size }), [...reached].join(', '));
  // A sample is over before all that is made once has been made.
  const [first = 0, last = 0] = [held.at(0), held.at(-1)];
  const room = scale({ sample: 64e6, heavy: 4e6 });
  assert.ok(
    last <= first * 1.05 + room,
    `${first} bytes were held after the first part, ${last} after the last`,
  );
});
