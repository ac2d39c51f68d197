import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkCommand } from '../../src/cli/check.ts';
import { KNOWN_PROVIDERS } from '../config/support.ts';

const EXAMPLE = fileURLToPath(new URL('../../fairlead.example.yaml', import.meta.url));

async function check(args: string[], options: { env?: Record<string, string>; cwd?: string } = {}) {
  let stdout = '';
  let stderr = '';
  const code = await checkCommand(KNOWN_PROVIDERS).run(args, {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: options.env ?? {},
    cwd: options.cwd ?? dirname(EXAMPLE),
  });
  return { code, stdout, stderr };
}

test('a good file: exit 0 and a summary', async () => {
  assert.deepEqual(await check(['fairlead.example.yaml']), {
    code: 0,
    stdout: 'fairlead.example.yaml: ok (1 provider, 2 models, 0 tenants)\n',
    stderr: '',
  });
});

test('what is switched off in the example is good config too', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'fairlead-check-'));
  t.after(() => rm(cwd, { recursive: true }));
  const text = await readFile(EXAMPLE, 'utf8');
  // Prose has one space behind the sign.
  await writeFile(join(cwd, 'fairlead.yaml'), text.replace(/^#(?=[^\s#]| {2})/gm, ''));
  const env = {
    ...{ OPENAI_API_KEY: 'key', ACME_APP_KEY: 'sk-fl-acme-app', OPS_ADMIN_KEY: 'sk-fl-admin-ops' },
    OPS_WEBHOOK_SECRET: 'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz',
  };
  const { code, stdout, stderr } = await check([], { cwd, env });
  assert.equal(stderr, '');
  assert.equal(stdout, 'fairlead.yaml: ok (3 providers, 3 models, 1 tenant)\n');
  assert.equal(code, 0);
});

test('what is known to be taken away is warned of, with where to move', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'fairlead-check-'));
  t.after(() => rm(cwd, { recursive: true }));
  const models =
    'models:\n  smart: { targets: [openai/gpt-4-0613] }\n  old: { targets: [{ target: openai/gpt-4, retires: never }], deprecated: 2027-03-01, successor: smart }\n';
  await writeFile(join(cwd, 'fairlead.yaml'), models);
  const { code, stderr } = await check([], { cwd, env: { OPENAI_API_KEY: 'key' } });
  assert.equal(code, 0);
  assert.deepEqual(stderr.split('\n'), [
    "fairlead.yaml: warning: 'openai/gpt-4-0613', which smart leads to, is retired on 2026-10-23; its successor is 'openai/gpt-5.6-sol'",
    "fairlead.yaml: warning: the model 'old' is retired on 2027-03-01; its successor is 'smart'",
    '',
  ]);
});

test('a bad file: exit 1, nothing on stdout, each problem on its line with file, line and column', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'fairlead-check-'));
  t.after(() => rm(cwd, { recursive: true }));
  await writeFile(join(cwd, 'bad.yaml'), 'servr: {}\nmodels:\n  smart:\n    targets: [gpt-4]\n');
  assert.deepEqual(await check(['bad.yaml'], { cwd }), {
    code: 1,
    stdout: '',
    stderr:
      'bad.yaml:1:1: servr: unknown key; did you mean "server"?\n' +
      'bad.yaml:4:15: models.smart.targets[0]: expected a target, "provider/model-version", found "gpt-4"\n',
  });
});

test('a file that is no UTF-8: exit 1 and where', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'fairlead-'));
  t.after(() => rm(cwd, { recursive: true }));
  const secret = join(cwd, 'secret');
  await writeFile(secret, Buffer.from('sk-\xff', 'latin1'));
  const account = `{ name: main, apiKeyFile: "${secret}" }`;
  for (const [text, told] of [
    [
      'models: {}\nlogging: { level: \xff\xfe }\n',
      'f.yaml:2:19: this is no UTF-8: save the file in that encoding\n',
    ],
    [
      `providers: { openai: { accounts: [${account}] } }\n`,
      /^f\.yaml[:\d]*: providers\.openai\.accounts\[0\]\.apiKeyFile: expected a file in UTF-8\n$/,
    ],
  ] as const) {
    await writeFile(join(cwd, 'f.yaml'), Buffer.from(text, 'latin1'));
    const { code, stderr } = await check(['f.yaml'], { cwd });
    assert.equal(code, 1);
    if (typeof told === 'string') assert.equal(stderr, told);
    else assert.match(stderr, told);
  }
});

test('a file that is not there: exit 1', async () => {
  const { code, stderr } = await check(['nowhere.yaml']);
  assert.equal(code, 1);
  assert.equal(stderr, 'nowhere.yaml: there is no such file\n');
});

for (const args of [['a.yaml', 'b.yaml'], ['--nonsense'], []]) {
  test(`the command line "check ${args.join(' ')}" where there is no file: exit 2`, async () => {
    const { code, stdout, stderr } = await check(args, { cwd: tmpdir() });
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^fairlead check: /);
  });
}
