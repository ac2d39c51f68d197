import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import type { Logger } from 'pino';
import { openLog } from '../../src/telemetry/redacting-log.ts';
import { ManySecrets } from '../../src/upstream/secrets.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { configFor, startRawUpstream } from '../support/raw-upstream.ts';

const SECRET = 'sk-very/secret"key';

function logOf(write: (log: Logger) => void): string {
  let logged = '';
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk);
      done();
    },
  });
  const { log, hide } = openLog('info', sink);
  hide(() => ({ few: [SECRET], many: new ManySecrets([]) }));
  write(log);
  return logged;
}

test('an error is logged without secrets: its message, its stack, its causes and what hangs on it', () => {
  const cause = new Error(`refused ${SECRET}`);
  const error = Object.assign(new TypeError(`cannot use ${SECRET}`, { cause }), {
    code: 'E_KEY',
    request: { headers: ['authorization', `Bearer ${SECRET}`], body: JSON.stringify({ key: SECRET }) },
    errors: [new Error(`also ${SECRET}`)],
  });
  const logged = logOf((log) => log.error({ call: 'req_1', err: error }, 'failed'));
  assert.ok(!logged.includes('very'), logged);
  const { err, call, msg } = JSON.parse(logged) as { err: Record<string, string>; call: string; msg: string };
  assert.deepEqual([call, msg, err['type'], err['code']], ['req_1', 'failed', 'TypeError', 'E_KEY']);
  assert.equal(err['message'], 'cannot use [redacted]: refused [redacted]');
  assert.match(
    err['stack'] ?? '',
    /TypeError: cannot use \[redacted\]\n +at .*\n(?:.*\n)*caused by: Error: refused/,
  );
});

test('an error that refers to itself is logged, and whatever else was thrown', () => {
  const error: Error & { self?: object } = new Error('round');
  error.self = { error, holder: { inner: { deep: { deeper: SECRET } } } };
  assert.match(
    logOf((log) => log.error({ err: error }, 'failed')),
    /"message":"round"/,
  );
  assert.match(
    logOf((log) => log.error({ err: `text ${SECRET}` }, 'failed')),
    /"err":"text \[redacted\]"/,
  );
});

test('a message is logged without secrets, whoever wrote it: pino takes that of an error where there is none', () => {
  const lines = logOf((log) => {
    log.error(new Error(`bare ${SECRET}`));
    log.error({ err: new Error(`held ${SECRET}`) });
    log.error(`said ${SECRET}`);
    log.error({ reason: `because of ${SECRET}` }, 'given %s', SECRET);
    log.child({ part: 'inner' }).error(new Error(`inner ${SECRET}`), `about ${SECRET}`);
    log.error({ msg: `own ${SECRET}`, err: new Error('x') });
    log.error({ count: 1 });
  })
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { msg?: string; reason?: string });
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    [
      'bare [redacted]',
      'held [redacted]',
      'said [redacted]',
      'given [redacted]',
      'about [redacted]',
      'own [redacted]',
      undefined,
    ],
  );
  assert.equal(lines[3]?.reason, 'because of [redacted]');
  assert.ok(!JSON.stringify(lines).includes('very'));
});

test('a secret is found as the key of a field and in a URL', () => {
  const error = Object.assign(new Error('refused'), {
    headers: { [SECRET]: 1 },
    url: `http://127.0.0.1/?key=${encodeURIComponent(SECRET)}&x=${encodeURIComponent(SECRET).toLowerCase()}`,
  });
  const { err } = JSON.parse(logOf((log) => log.error({ err: error }, 'failed'))) as {
    err: { headers: object; url: string };
  };
  assert.deepEqual(err.headers, { '[redacted]': 1 });
  assert.equal(err.url, 'http://127.0.0.1/?key=[redacted]&x=[redacted]');
});

test('what stands below the fields of a line is logged without secrets, too', () => {
  const at = new Date(0);
  const logged = logOf((log) => {
    const details = { a: SECRET, [SECRET]: { b: [SECRET] }, at, count: 2n };
    log.info({ problems: [`x ${SECRET}`], details, reason: new Error(`thrown ${SECRET}`) }, 'told %j', {
      c: SECRET,
    });
  });
  const told = JSON.parse(logged) as Record<string, unknown>;
  assert.deepEqual(told['problems'], ['x [redacted]']);
  assert.deepEqual(told['details'], {
    a: '[redacted]',
    '[redacted]': { b: ['[redacted]'] },
    at: at.toISOString(),
    count: '2',
  });
  assert.equal((told['reason'] as { message: string }).message, 'thrown [redacted]');
  assert.equal(told['msg'], 'told {"c":"[redacted]"}');
  assert.ok(!logged.includes('very'));
});

test('bytes are logged as their number', () => {
  const error = Object.assign(new Error('refused'), {
    body: Buffer.from(SECRET),
    chunk: new Uint8Array(2_000_000),
    whole: { deep: new ArrayBuffer(3) },
  });
  const { err } = JSON.parse(logOf((log) => log.error({ err: error }, 'failed'))) as { err: object };
  const { body, chunk, whole } = err as Record<string, unknown>;
  assert.deepEqual(
    [body, chunk, whole],
    [`[${SECRET.length} bytes]`, '[2000000 bytes]', { deep: '[3 bytes]' }],
  );
});

test('nothing that was configured as a secret is in the log, whatever fails', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-'));
  const store = join(folder, 'own.db');
  const secrets = ['sk_provider_key_0', 'header_secret_0', TEST_KEY.replaceAll('-', '_'), 'sk_fl_own_key_00'];
  const gateway = await startGateway({
    store: `sqlite:${store}`,
    providers: {
      openai: {
        baseUrl: 'http://127.0.0.1:9',
        headers: { 'x-proxy': secrets[1] },
        accounts: [{ name: 'main', apiKey: secrets[0] }],
      },
    },
    tenants: {
      acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
      other: { models: ['*'], keys: [{ name: 'app', secret: secrets[3] }] },
    },
  });
  try {
    const db = new DatabaseSync(store);
    db.exec('ALTER TABLE upstream_objects RENAME TO moved');
    for (const secret of [secrets[0], secrets[1], secrets[3]]) {
      // What the store says of this view quotes the secret.
      db.exec(`CREATE VIEW upstream_objects AS SELECT id, ${secret} AS tenant, 'file' AS kind FROM calls`);
      assert.equal((await gateway.get('/v1/files/file-1')).status, 500);
      db.exec('DROP VIEW upstream_objects');
    }
    db.close();
    assert.match(gateway.logs(), /no such column: \[redacted\]/);
    for (const secret of secrets) assert.ok(!gateway.logs().includes(secret), secret);
  } finally {
    await gateway.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test('however many keys there are, no log has the secret of one', async (context) => {
  const keys = Array.from({ length: 2_000 }, (_, index) => ({
    name: `k${index}`,
    secret: `sk-of-key-${index}-${'x'.repeat(40)}`,
  }));
  const [first, last] = [keys[0]?.secret ?? '', keys.at(-1)?.secret ?? ''];
  const upstream = await startRawUpstream((response) => {
    response.writeHead(500, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ error: { message: `what do you do with ${first}, "${last}" and sk-of-key-nobody?` } }),
    );
  });
  const config = configFor(upstream);
  const gateway = await startGateway({ ...config, tenants: { acme: { models: ['*'], keys } } });
  context.after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  const body = { model: 'up/m', messages: [{ role: 'user', content: 'Hi' }] };
  const answer = await gateway.post('/v1/chat/completions', body, {
    headers: { authorization: `Bearer ${last}` },
  });
  assert.equal(answer.status, 502, await answer.text());
  assert.match(gateway.logs(), /what do you do with \[redacted\]/);
  assert.match(gateway.logs(), /sk-of-key-nobody/);
  for (const secret of [first, last]) assert.ok(!gateway.logs().includes(secret));
});
