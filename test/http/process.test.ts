import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { LAUNCHER } from '../support/launcher.ts';
import { chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

const running = new Set<ChildProcess>();
after(() => {
  for (const { pid } of running) killGroup(pid);
});

interface Process {
  child: ChildProcess;
  url: string;
  output(): string;
  exit: Promise<number | null>;
}

/** Ends a process and all that it has started, where any of them is left. */
function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function startProcess(
  env: Record<string, string>,
  [command, ...args]: readonly [string, ...string[]] = [process.execPath, LAUNCHER, 'start'],
): Promise<Process> {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'], PORT: '0', ...env },
    cwd: env['FAIRLEAD_DATA'],
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  let url: string | undefined;
  while (url === undefined && child.exitCode === null) {
    await sleep(20);
    url = /"url":"([^"]+)"/.exec(output)?.[1];
  }
  assert.ok(url, `it did not start: ${output}`);
  return { child, url, output: () => output, exit };
}

const dataFolder = () => mkdtempSync(join(tmpdir(), 'fairlead-'));

/** What the first start says behind the line that it listens. */
async function readPrinted(gateway: Process, pattern: RegExp): Promise<string> {
  let found: string | undefined;
  while (found === undefined && gateway.child.exitCode === null) {
    found = pattern.exec(gateway.output())?.[1];
    if (found === undefined) await sleep(10);
  }
  assert.ok(found, `${pattern} was not printed: ${gateway.output()}`);
  return found;
}

const readKey = (gateway: Process) => readPrinted(gateway, /Your key: +(sk-fl-\w+)\s/);

function ask(url: string, key: string, body: object, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: signal ?? null,
  });
}

test('the first start prints a key, an admin key, a curl line and an SDK example, once; the keys last', async () => {
  const FAIRLEAD_DATA = dataFolder();
  const first = await startProcess({ FAIRLEAD_DATA });
  const key = await readKey(first);
  const adminKey = await readPrinted(first, /Admin key: +(sk-fl-admin-\w+)\s/);
  assert.match(first.output(), /curl http:\/\/127\.0\.0\.1:\d+\/v1\/chat\/completions/);
  assert.match(first.output(), /import OpenAI from 'openai'/);

  // The printed line works as it stands in a shell.
  const curl = /curl http[\s\S]*?}'\n/.exec(first.output())?.[0] ?? '';
  const printed = spawnSync('sh', ['-c', curl], { encoding: 'utf8' });
  assert.match(printed.stdout, /"object":"chat\.completion"/, printed.stderr);
  first.child.kill('SIGTERM');
  assert.equal(await first.exit, 0);

  const second = await startProcess({ FAIRLEAD_DATA });
  assert.doesNotMatch(second.output(), /sk-fl-/);
  const body = { model: 'echo/echo', messages: [{ role: 'user', content: 'Hello' }] };
  assert.equal((await ask(second.url, key, body)).status, 200);
  const usage = await fetch(`${second.url}/admin/v1/calls`, {
    headers: { authorization: `Bearer ${adminKey}` },
  });
  const { data } = (await usage.json()) as { data: { tenant: string }[] };
  assert.equal(
    data.some(({ tenant }) => tenant === 'default'),
    true,
  );
  second.child.kill('SIGTERM');
  assert.equal(await second.exit, 0);
});

for (const [signal, how] of [
  ['SIGKILL', 'killed'],
  ['SIGTERM', 'told to stop'],
] as const) {
  test(`kept responses are there after the gateway was ${how}`, async () => {
    const FAIRLEAD_DATA = dataFolder();
    const first = await startProcess({ FAIRLEAD_DATA });
    const key = await readKey(first);
    const call = async (url: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
      const response = await fetch(`${url}/v1/responses${path}`, init);
      assert.equal(response.status, 200);
      return (await response.json()) as { id: string; output: unknown; data: unknown[] };
    };
    const given = await call(first.url, '', { model: 'echo/echo', input: 'Hello' });
    assert.deepEqual(await call(first.url, `/${given.id}`), given);
    first.child.kill(signal);
    await first.exit;

    const second = await startProcess({ FAIRLEAD_DATA });
    assert.deepEqual(await call(second.url, `/${given.id}`), given);
    const next = { model: 'echo/echo', input: 'Again', previous_response_id: given.id };
    const { id } = await call(second.url, '', next);
    assert.equal((await call(second.url, `/${id}/input_items`)).data.length, 3);
    second.child.kill('SIGTERM');
    assert.equal(await second.exit, 0);
  });
}

test('SIGTERM drains: readyz turns false, new calls are refused, the running stream finishes, exit 0', async () => {
  const go = Promise.withResolvers<void>();
  const upstream = await startRawUpstream(async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chatChunk('one '));
    await go.promise;
    response.end(`${chatChunk('two', 'stop')}data: [DONE]\n\n`);
  });
  const gateway = await startProcess({
    FAIRLEAD_DATA: dataFolder(),
    OPENAI_API_KEY: 'sk-upstream',
    OPENAI_BASE_URL: upstream.baseUrl,
  });
  const key = await readKey(gateway);
  const body = { model: 'openai/m', stream: true, messages: [{ role: 'user', content: 'Hello' }] };
  const response = await ask(gateway.url, key, body);
  assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200);

  gateway.child.kill('SIGTERM');
  while ((await fetch(`${gateway.url}/readyz`)).status !== 503) await sleep(10);
  assert.equal((await fetch(`${gateway.url}/healthz`)).status, 200);
  const refused = await ask(gateway.url, key, body);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');

  go.resolve();
  const text = await response.text();
  assert.match(text, /one [\s\S]*two[\s\S]*\[DONE\]/);
  assert.equal(await gateway.exit, 0);
  await upstream.close();
});

test('SIGTERM waits for a call whose body is still arriving, also where nothing else runs', async () => {
  const gateway = await startProcess({ FAIRLEAD_DATA: dataFolder() });
  const key = await readKey(gateway);
  const body = JSON.stringify({
    model: 'echo/echo',
    messages: [{ role: 'user', content: 'x'.repeat(200_000) }],
  });
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk));
  const closed = once(socket, 'close');
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
  );
  socket.write(body.slice(0, 100_000));
  // Another answer: by then the head of the upload has been read, too.
  assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200);
  gateway.child.kill('SIGTERM');
  while ((await fetch(`${gateway.url}/readyz`)).status !== 503) await sleep(10);
  // Longer than what is left to connections without a request.
  await sleep(1_500);
  assert.equal((await fetch(`${gateway.url}/readyz`)).status, 503);
  socket.write(body.slice(100_000));
  await closed;
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.match(answer, /"finish_reason":"stop"/);
  assert.equal(await gateway.exit, 0);
});

const NPM_STOPS: { what: string; stop(child: ChildProcess): void }[] = [
  { what: 'SIGTERM to `npm start`', stop: (child) => child.kill('SIGTERM') },
  {
    // The terminal signals npm and the gateway alike, and npm hands its own on.
    what: 'Ctrl-C in a terminal with `npm start`',
    stop: ({ pid = 0 }) => process.kill(-pid, 'SIGINT'),
  },
  {
    what: 'the same, whatever comes first',
    stop: ({ pid = 0 }) => {
      process.kill(-pid, 'SIGINT');
      process.kill(-pid, 'SIGTERM');
    },
  },
];

for (const { what, stop } of NPM_STOPS) {
  test(`${what} drains, too, and nothing is left behind`, async () => {
    const go = Promise.withResolvers<void>();
    const upstream = await startRawUpstream(async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chatChunk('one '));
      await go.promise;
      response.end(`${chatChunk('two', 'stop')}data: [DONE]\n\n`);
    });
    const FAIRLEAD_DATA = dataFolder();
    const FAIRLEAD_CONFIG = join(FAIRLEAD_DATA, 'fairlead.yaml');
    writeFileSync(FAIRLEAD_CONFIG, 'server: { drainTimeout: 20s }\n');
    const gateway = await startProcess(
      {
        FAIRLEAD_DATA,
        FAIRLEAD_CONFIG,
        OPENAI_API_KEY: 'sk-upstream',
        OPENAI_BASE_URL: upstream.baseUrl,
        // npm keeps its logs in the home folder, and may look for a newer npm.
        HOME: FAIRLEAD_DATA,
        npm_config_update_notifier: 'false',
      },
      ['npm', '--prefix', CHECKOUT, 'start'],
    );
    const key = await readKey(gateway);
    const response = await ask(gateway.url, key, { model: 'openai/m', stream: true, messages: [] });

    stop(gateway.child);
    while ((await fetch(`${gateway.url}/readyz`)).status !== 503) await sleep(10);
    go.resolve();
    assert.match(await response.text(), /one [\s\S]*two[\s\S]*\[DONE\]/);
    assert.equal(await gateway.exit, 0);
    await assert.rejects(fetch(`${gateway.url}/healthz`), 'the gateway went on without npm');
    await upstream.close();
  });
}

test('a stream that outlasts the drain time-out is ended with an error event, and the exit is clean', async () => {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chatChunk('one '));
  });
  const FAIRLEAD_DATA = dataFolder();
  writeFileSync(join(FAIRLEAD_DATA, 'fairlead.yaml'), 'server: { drainTimeout: 100ms }\n');
  const gateway = await startProcess({
    FAIRLEAD_DATA,
    OPENAI_API_KEY: 'sk-upstream',
    OPENAI_BASE_URL: upstream.baseUrl,
  });
  const key = await readKey(gateway);
  const response = await ask(gateway.url, key, { model: 'openai/m', stream: true, messages: [] });
  gateway.child.kill('SIGTERM');
  assert.match(await response.text(), /one [\s\S]*data: \{"error":\{"message":"The gateway is stopping/);
  assert.equal(await gateway.exit, 0);
  const { stdout } = spawnSync(process.execPath, [LAUNCHER, 'usage', '--outcome', 'overloaded'], {
    cwd: FAIRLEAD_DATA,
    env: { PATH: process.env['PATH'], FAIRLEAD_DATA },
    encoding: 'utf8',
  });
  assert.match(stdout, /openai\/m/);
  await upstream.close();
});

test('half a request, or garbage, on an open connection does not keep a stopping gateway alive', async () => {
  const gateway = await startProcess({ FAIRLEAD_DATA: dataFolder() });
  const { hostname, port } = new URL(gateway.url);
  const sockets = [
    'POST /v1/chat/comp',
    'POST /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{',
    'garbage\r\n\r\n',
  ].map((text) => {
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    socket.on('error', () => 'cut off, as it should be');
    socket.write(text);
    return socket;
  });
  await sleep(100);
  gateway.child.kill('SIGTERM');
  assert.equal(await gateway.exit, 0);
  for (const socket of sockets) socket.destroy();
});

test('what somebody without a key sends does not hold a stop', async () => {
  const gateway = await startProcess({ FAIRLEAD_DATA: dataFolder() });
  const { hostname, port } = new URL(gateway.url);
  const dripping = ['POST /nope', 'POST /healthz', 'PUT /v1/chat/completions', 'POST /v1/embeddings'].map(
    (line) => {
      const socket = connect({ host: hostname, port: Number(port) });
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk));
      socket.on('error', () => 'cut off, as it should be');
      socket.write(
        `${line} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{`,
      );
      const drip = setInterval(() => socket.write('x'), 100);
      socket.on('close', () => clearInterval(drip));
      return { socket, answer: () => answer };
    },
  );
  // They are answered from their heads.
  const statuses = () => dripping.map(({ answer }) => answer().slice(9, 12));
  for (let waited = 0; waited < 10_000 && statuses().includes(''); waited += 20) await sleep(20);
  assert.deepEqual(statuses(), ['404', '404', '404', '401']);
  gateway.child.kill('SIGTERM');
  // They drip on for as long as the gateway lets them: it ends by itself, long before its time-out of 30 seconds.
  assert.equal(await Promise.race([gateway.exit, sleep(20_000, 'held', { ref: false })]), 0);
  for (const { socket } of dripping) socket.destroy();
});

/** What comes together with the first signal is the first: see the stop by Ctrl-C. */
const ANOTHER_SIGNAL_MS = 600;

for (const signal of scale<NodeJS.Signals[]>({ sample: ['SIGINT'], heavy: ['SIGTERM', 'SIGINT'] })) {
  test(`a second signal (${signal}) ends running calls: clients are told, what was sent is recorded, exit 1`, async () => {
    const anthropic = await startFakeAnthropic();
    const FAIRLEAD_DATA = dataFolder();
    const FAIRLEAD_ADMIN_KEY = 'sk-fl-admin-of-the-process-test';
    const env = {
      FAIRLEAD_DATA,
      FAIRLEAD_ADMIN_KEY,
      ANTHROPIC_API_KEY: anthropic.apiKey,
      ANTHROPIC_BASE_URL: anthropic.url,
    };
    const first = await startProcess(env);
    const key = await readKey(first);
    const body = {
      model: 'anthropic/claude-sonnet-4-5',
      stream: true,
      messages: [{ role: 'user', content: 'slow 200 ms per chunk\nlong 100' }],
    };
    const response = await ask(first.url, key, body);
    const text = response.text();
    first.child.kill('SIGTERM');
    while ((await fetch(`${first.url}/readyz`)).status !== 503) await sleep(10);
    await sleep(ANOTHER_SIGNAL_MS);
    first.child.kill(signal);
    assert.match(await text, /"content":"[\s\S]*data: \{"error":\{"message":"The gateway is stopping/);
    assert.equal(await first.exit, 1);
    assert.match(first.output(), /"level":40[^\n]*"signal":"SIG\w+"[^\n]*ended/);

    const second = await startProcess(env);
    const calls = await fetch(`${second.url}/admin/v1/calls`, {
      headers: { authorization: `Bearer ${FAIRLEAD_ADMIN_KEY}` },
    });
    const { data } = (await calls.json()) as { data: { outcome: string; usage: { output: number } }[] };
    assert.deepEqual(
      data.map(({ outcome }) => outcome),
      ['overloaded'],
    );
    const output = data[0]?.usage.output ?? Number.POSITIVE_INFINITY;
    assert.ok(output > 0 && output < 100, `${output} tokens are recorded`);
    second.child.kill('SIGTERM');
    assert.equal(await second.exit, 0);
    await anthropic.close();
  });
}

test('a third signal ends at once what a second one cannot', async () => {
  // A client that does not read: it is given a second for the end of its answer.
  const upstream = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chatChunk('x'.repeat(16 * 1024 * 1024)));
  });
  const gateway = await startProcess({
    FAIRLEAD_DATA: dataFolder(),
    OPENAI_API_KEY: 'sk-upstream',
    OPENAI_BASE_URL: upstream.baseUrl,
  });
  const key = await readKey(gateway);
  const response = await ask(gateway.url, key, { model: 'openai/m', stream: true, messages: [] });
  gateway.child.kill('SIGTERM');
  while ((await fetch(`${gateway.url}/readyz`)).status !== 503) await sleep(10);
  for (let signals = 0; signals < 2; signals++) {
    await sleep(ANOTHER_SIGNAL_MS);
    gateway.child.kill('SIGTERM');
  }
  assert.equal(await gateway.exit, 1);
  assert.match(gateway.output(), /a third signal/);
  await assert.rejects(response.text(), 'cut off, as it should be');
  await upstream.close();
});

test('a config that is wrong stops the start with file, line and path', () => {
  const cwd = dataFolder();
  const { status, stderr } = spawnSync(process.execPath, [LAUNCHER, 'start', '--config', 'none.yaml'], {
    cwd,
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stderr, /none\.yaml: there is no such file/);
});

test('help and version', () => {
  const run = (...args: string[]) => spawnSync(process.execPath, [LAUNCHER, ...args], { encoding: 'utf8' });
  assert.match(run('--help').stdout, /start .*\n.*check/);
  assert.match(run('start', '--help').stdout, /--config FILE/);
  assert.match(run('--version').stdout, /^\d+\.\d+\.\d+\n$/);
  assert.equal(run('fly').status, 2);
});
