import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CliIo } from '../../src/cli/command.ts';
import { rolloutsCommand } from '../../src/cli/rollouts.ts';
import { ADMIN_KEY, startGateway } from '../support/gateway.ts';

const BOB = 'sk-fl-admin-key-of-bob-0000000000';

test('a rollout is asked for, approved, looked at and rolled back from the command line', async (context) => {
  const gateway = await startGateway({
    models: { smart: { targets: ['echo/old'] } },
    adminKeys: { bob: { role: 'operator', secret: BOB } },
    rollouts: { upgrade: { model: 'smart', stable: 'echo/old', candidate: 'echo/new', approval: 'start' } },
  });
  context.after(() => gateway.stop());
  const run = async (args: string[], key = ADMIN_KEY) => {
    let [stdout, stderr] = ['', ''];
    const io: CliIo = {
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      env: { FAIRLEAD_URL: gateway.url, FAIRLEAD_ADMIN_KEY: key },
      cwd: '.',
    };
    return { exitCode: await rolloutsCommand.run(args, io), stdout, stderr };
  };
  const asked = await run(['start', 'upgrade']);
  assert.deepEqual([asked.exitCode, asked.stderr], [0, '']);
  assert.match(asked.stdout, /draft.*approval to start, as \S+ wants/);
  const own = await run(['approve', 'upgrade']);
  assert.equal(own.exitCode, 1);
  assert.match(own.stderr, /was asked to start by you: somebody else must approve that/);
  const approved = await run(['approve', 'upgrade'], BOB);
  assert.match(approved.stdout, /echo\/old \(1\).*echo\/new \(2\).*canary.*approved by bob/);
  assert.match((await run(['status', 'upgrade'])).stdout, /canary +1\/3 +1 %/);
  const releases = await run(['releases', 'smart']);
  assert.match(releases.stdout, /2 +echo\/new.*\n1 +echo\/old.* yes/);
  assert.match((await run(['rollback', 'upgrade'], BOB)).stdout, /rolled_back.*by bob/);
  const again = await run(['reject', 'upgrade'], BOB);
  assert.deepEqual([again.exitCode, /waits for no approval/.test(again.stderr)], [1, true]);
  assert.equal((await run(['releases'])).exitCode, 2);
  assert.equal((await run(['begin', 'upgrade'])).exitCode, 2);
});
