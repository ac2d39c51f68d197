import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CliIo } from '../../src/cli/command.ts';
import { rolloutsCommand } from '../../src/cli/rollouts.ts';
import { ADMIN_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const BOB = 'sk-fl-admin-key-of-bob-0000000000';

async function runAt({ url }: TestGateway, args: string[], key = ADMIN_KEY) {
  let [stdout, stderr] = ['', ''];
  const io: CliIo = {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: { FAIRLEAD_URL: url, FAIRLEAD_ADMIN_KEY: key },
    cwd: '.',
  };
  return { exitCode: await rolloutsCommand.run(args, io), stdout, stderr };
}

test('a rollout is asked for, approved, looked at and rolled back from the command line', async (context) => {
  const gateway = await startGateway({
    models: { smart: { targets: ['echo/old'] } },
    adminKeys: { bob: { role: 'operator', secret: BOB } },
    rollouts: { upgrade: { model: 'smart', stable: 'echo/old', candidate: 'echo/new', approval: 'start' } },
  });
  context.after(() => gateway.stop());
  const run = (args: string[], key?: string) => runAt(gateway, args, key);
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

test('the status of a rollout tells what fails for its cohort', async (context) => {
  const upstream = await startRawUpstream((response, body) => {
    response.setHeader('content-type', 'application/json');
    if (body.includes('"new"')) response.writeHead(500).end('{"error":{"message":"broken"}}');
    else response.end(chatAnswer('Hi'));
  });
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { smart: { targets: ['up/old'] } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new', cohort: { tenants: ['acme'] } },
        steps: [{ weight: 1, hold: '10m' }],
      },
    },
  });
  context.after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  assert.equal((await runAt(gateway, ['start', 'upgrade'])).exitCode, 0);
  const body = { model: 'smart', messages: [{ role: 'user', content: 'Hi' }] };
  const answer = await gateway.post('/v1/chat/completions', body);
  assert.equal(answer.headers.get('x-fairlead-rollout'), 'upgrade=candidate');
  const shown = /^1 \(1 %\) +candidate by rule +1 /m;
  let stdout = '';
  for (let waited = 0; waited < 200 && !shown.test(stdout); waited++) {
    ({ stdout } = await runAt(gateway, ['status', 'upgrade']));
    await sleep(25);
  }
  assert.match(stdout, shown);
  assert.match(stdout, /^1 by rule +error +- +100 % \(\S+ to 100\)$/m);
});
