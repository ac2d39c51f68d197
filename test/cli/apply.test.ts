import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { applyCommand, diffCommand, exportCommand } from '../../src/cli/apply.ts';
import type { CliIo, Command } from '../../src/cli/command.ts';
import { keysCommand } from '../../src/cli/keys.ts';
import { secretsCommand } from '../../src/cli/secrets.ts';
import { adminClient } from '../support/admin.ts';
import { ADMIN_KEY, SECRET_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

async function startCli(context: TestContext, env: Record<string, string> = {}) {
  const gateway = await startGateway({}, undefined, { env });
  context.after(() => gateway.stop());
  const cwd = makeTempDirectory(context);
  const run = async (command: Command, args: string[], env: Record<string, string> = {}) => {
    let [stdout, stderr] = ['', ''];
    const io: CliIo = {
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      env: { FAIRLEAD_URL: gateway.url, FAIRLEAD_ADMIN_KEY: ADMIN_KEY, ...env },
      cwd,
    };
    return { exitCode: await command.run(args, io), stdout, stderr };
  };
  const write = (text: string | Buffer, file = 'part.yaml') => writeFileSync(join(cwd, file), text);
  return { gateway, run, write };
}

const PART = `models:
  small: { targets: [echo/small] }
providers:
  local: { adapter: openai-compatible, baseUrl: "http://127.0.0.1:1/v1", headers: { x-token: "\${PATH_TOKEN:-}" } }
`;

test('diff shows what apply does, apply does it, export gives it back, and apply of that changes nothing', async (context) => {
  const { run, write } = await startCli(context);
  write(
    'models: { small: { targets: [echo/small] }, big: { targets: [echo/big] } }\nadminKeys: { ops: { role: viewer, secret: sk-plain-secret } }\n',
  );
  assert.deepEqual(await run(diffCommand, ['part.yaml']), {
    exitCode: 3,
    stdout: '+ models small\n+ models big\n+ adminKeys ops\n',
    stderr: '',
  });
  const applied = await run(applyCommand, ['part.yaml']);
  assert.deepEqual([applied.exitCode, applied.stderr], [0, '']);
  assert.match(applied.stdout, /\+ adminKeys ops\nRevision 2 is in force\.\n$/);
  assert.deepEqual(await run(diffCommand, ['part.yaml']), { exitCode: 0, stdout: '', stderr: '' });

  const exported = await run(exportCommand, []);
  assert.doesNotMatch(exported.stdout, /sk-plain-secret/);
  assert.match(exported.stdout, /secretHash/);
  write(exported.stdout, 'exported.yaml');
  const again = await run(applyCommand, ['exported.yaml']);
  assert.equal(again.stdout, 'Nothing changed: revision 2.\n');

  write('models: { small: { targets: [echo/smaller] } }\n');
  const changed = await run(applyCommand, ['part.yaml']);
  assert.match(changed.stdout, /~ models small\n {4}targets: \["echo\/small"\] → \["echo\/smaller"\]\n/);
  assert.match(changed.stdout, /- models big\n- adminKeys ops\n/);
});

test("placeholders are the gateway's to fill in, and stay what they are", async (context) => {
  const { run, write } = await startCli(context);
  write(PART.replace(':-', ''));
  const refused = await run(applyCommand, ['part.yaml']);
  assert.equal(refused.exitCode, 1);
  assert.match(
    refused.stderr,
    /providers\.local\.headers\.x-token: the environment variable PATH_TOKEN is not set/,
  );
  write(PART.replace(`\${PATH_TOKEN:-}`, `Bearer \${FAIRLEAD_DATA}`));
  assert.equal((await run(applyCommand, ['part.yaml'])).exitCode, 0);
  assert.match((await run(exportCommand, [])).stdout, /x-token: "Bearer \$\{FAIRLEAD_DATA\}"/);
});

test('keys and grants that the API made for a tenant of the file are exported, and applied again', async (context) => {
  const { run, write, gateway } = await startCli(context);
  const made = await run(keysCommand, ['create', 'acme', 'ci']);
  await adminClient(gateway.url).must('PUT', '/tenants/acme/grants/echo%2Fother', {});
  const exported = await run(exportCommand, []);
  write(exported.stdout);
  assert.deepEqual(await run(diffCommand, ['part.yaml']), { exitCode: 0, stdout: '', stderr: '' });
  assert.match((await run(applyCommand, ['part.yaml'])).stdout, /^Nothing changed/);
  write('{}\n', 'none.yaml');
  assert.equal((await run(applyCommand, ['none.yaml'])).exitCode, 0);
  assert.equal((await gateway.get('/v1/models', made.stdout.trim())).status, 401);
  assert.equal((await run(applyCommand, ['part.yaml'])).exitCode, 0);
  assert.equal((await gateway.get('/v1/models', made.stdout.trim())).status, 200);

  write(exported.stdout.replace('acme', 'amce'), 'misspelt.yaml');
  const refused = await run(applyCommand, ['misspelt.yaml']);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /tenants\.amce\.models: the tenant is not there, and has keys and grants/);
});

test('a file that says nothing takes nothing away', async (context) => {
  const { run, write, gateway } = await startCli(context);
  const admin = adminClient(gateway.url);
  await admin.must('PUT', '/models/mine', { targets: ['echo/x'] });
  for (const text of ['', '\n\n', '# models:\n#   small: {}\n', '---\n# nothing\n']) {
    write(text);
    for (const command of [diffCommand, applyCommand]) {
      assert.deepEqual(await run(command, ['part.yaml']), {
        exitCode: 1,
        stdout: '',
        stderr: 'part.yaml: is empty: write {} for a configuration that says nothing\n',
      });
    }
  }
  write(Buffer.from('{ models: \xff }', 'latin1'));
  assert.match((await run(applyCommand, ['part.yaml'])).stderr, /^part\.yaml:1:11: this is no UTF-8/);
  for (const path of ['/config', '/config?dryRun=true']) {
    const empty = await admin.ask('PUT', path);
    assert.equal(empty.status, 400);
    assert.match(String(empty.body.error?.message), /no body.*write \{\}/);
  }
  await admin.must('GET', '/models/mine');
  write('{}\n');
  assert.equal((await run(applyCommand, ['part.yaml'])).stdout, '- models mine\nRevision 3 is in force.\n');
});

test('what is refused is exit code 1 and says why, a wrong command line is 2', async (context) => {
  const { run, write } = await startCli(context);
  write('tenants: { acme: { models: ["*"] } }\n');
  const both = await run(applyCommand, ['part.yaml']);
  assert.equal(both.exitCode, 1);
  assert.match(
    both.stderr,
    /tenants\.acme: is declared by both: test\.yaml has it already, and admin API wants it/,
  );
  write('models: {\n');
  assert.match((await run(applyCommand, ['part.yaml'])).stderr, /^part\.yaml:\d+:\d+: /);
  assert.match((await run(applyCommand, ['none.yaml'])).stderr, /none\.yaml: cannot be read \(ENOENT\)/);
  assert.equal((await run(applyCommand, [])).exitCode, 2);
  assert.equal((await run(diffCommand, ['--nonsense', 'x'])).exitCode, 2);
  const nobody = await run(exportCommand, ['--owner', 'zz']);
  assert.deepEqual([nobody.exitCode, nobody.stdout], [2, '']);
  assert.match(nobody.stderr, /--owner: give one of api, file, all/);
  write('models: {}\n');
  const away = await run(applyCommand, ['part.yaml', '--url', 'http://127.0.0.1:1']);
  assert.deepEqual([away.exitCode, away.stdout], [1, '']);
  assert.match(away.stderr, /cannot be reached at http:\/\/127\.0\.0\.1:1: /);
  const wrong = await run(exportCommand, ['--admin-key', 'sk-wrong-key']);
  assert.equal(wrong.exitCode, 1);
  assert.match(wrong.stderr, /needs an admin key/);
  assert.equal((await run(exportCommand, [], { FAIRLEAD_ADMIN_KEY: '' })).exitCode, 1);
});

test('keys are made, listed, rotated and revoked', async (context) => {
  const { run, gateway } = await startCli(context);
  const call = async (key: string) => (await gateway.get('/v1/models', key.trim())).status;
  const made = await run(keysCommand, [
    'create',
    'acme',
    'ci',
    '--models',
    'echo/*',
    '--expires',
    '2099-01-01',
  ]);
  assert.deepEqual([made.exitCode, made.stderr], [0, '']);
  assert.equal(await call(made.stdout), 200);
  const listed = await run(keysCommand, ['list', 'acme']);
  assert.equal(
    listed.stdout,
    'name  owner  models  expires\napp   file   -       -\nci    api    echo/*  2099-01-01\n',
  );
  assert.doesNotMatch((await run(keysCommand, ['list', 'acme', '--json'])).stdout, new RegExp(TEST_KEY));
  assert.equal((await run(keysCommand, ['rotate', 'acme', 'ci'])).exitCode, 0);
  assert.match(
    (await run(keysCommand, ['rotate', 'acme', 'ci'])).stderr,
    /The key is being rotated: .* now with --replace, or both with --overlap 0s\.\n$/,
  );
  assert.equal((await run(keysCommand, ['rotate', 'acme', 'ci', '--replace'])).exitCode, 0);
  const rotated = await run(keysCommand, ['rotate', 'acme', 'ci', '--overlap', '0s']);
  assert.deepEqual([await call(made.stdout), await call(rotated.stdout)], [401, 200]);
  assert.equal((await run(keysCommand, ['revoke', 'acme', 'ci'])).stdout, 'Revoked.\n');
  assert.equal(await call(rotated.stdout), 401);
  assert.equal((await run(keysCommand, ['revoke', 'acme', 'ci'])).exitCode, 1);
  for (const args of [
    [],
    ['fly'],
    ['list'],
    ['create', 'acme'],
    ['revoke', 'acme', 'ci', '--expires', 'x'],
  ]) {
    assert.equal((await run(keysCommand, args)).exitCode, 2, args.join(' '));
  }
});

test('secrets rotate says what was encrypted again, and what to set where there is no secret', async (context) => {
  const withSecret = await startCli(context, { FAIRLEAD_SECRET: SECRET_KEY });
  assert.deepEqual(await withSecret.run(secretsCommand, ['rotate']), {
    exitCode: 0,
    stdout: 'Everything is encrypted under FAIRLEAD_SECRET already.\n',
    stderr: '',
  });
  assert.equal((await withSecret.run(secretsCommand, [])).exitCode, 2);
  assert.equal((await withSecret.run(secretsCommand, ['turn'])).exitCode, 2);
  const without = await startCli(context);
  const refused = await without.run(secretsCommand, ['rotate']);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /set FAIRLEAD_SECRET .* FAIRLEAD_SECRET_PREVIOUS/);
});
