import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { CliIo } from '../../src/cli/command.ts';
import { usageCommand } from '../../src/cli/usage.ts';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import { openStore } from '../../src/store/open.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { makeTempDirectory } from '../support/temp-store.ts';
import { makeRecord } from '../support/usage-records.ts';

/** Runs the command in a directory whose `data/fairlead.db` holds the records, while that database is open. */
async function runUsage(context: TestContext, args: string[], records: UsageRecord[], config?: string) {
  const cwd = makeTempDirectory(context);
  if (config !== undefined) writeFileSync(join(cwd, 'fairlead.yaml'), config);
  const store = await openStore('sqlite:data/fairlead.db', { cwd });
  await store.insertCalls(records.map(toCallRow));
  let [stdout, stderr] = ['', ''];
  const io: CliIo = {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: {},
    cwd,
  };
  const exitCode = await usageCommand([]).run(args, io);
  await store.close();
  return { exitCode, stdout, stderr };
}

const RECORDS = [
  makeRecord({ costMicroUsd: 600 }),
  makeRecord({
    costMicroUsd: 1_500_000,
    usage: { ...NO_USAGE, input: 200_000, cacheRead: 50_000, output: 1 },
  }),
  makeRecord({ tenant: 'beta-labs', model: 'own', startedAt: Date.UTC(2026, 10, 24) }),
  makeRecord({ tenant: 'beta-labs', model: null, target: null, outcome: 'invalid_request', usage: null }),
];
const STORE = ['--store', 'sqlite:data/fairlead.db'];

test('usage prints a table of sums by tenant and model', async (context) => {
  const { exitCode, stdout } = await runUsage(context, STORE, RECORDS);
  assert.equal(
    stdout,
    [
      'tenant     model  calls  failed   input  cached  output       cost  unpriced',
      'acme       smart      2       0  250100   50000      51  $1.500600         0',
      'beta-labs  -          1       1       0       0       0          -         0',
      'beta-labs  own        1       0     100       0      50          -         1',
      '',
    ].join('\n'),
  );
  assert.equal(exitCode, 0);
});

test('a cost too small for its column is not shown as none', async (context) => {
  const records = [makeRecord({ costMicroUsd: 0.08 }), makeRecord({ tenant: 'beta', costMicroUsd: 0 })];
  const { stdout } = await runUsage(context, [...STORE, '--by', 'tenant'], records);
  assert.match(stdout, /acme .* <\$0\.000001 .*\nbeta .* \$0\.000000 /);
});

test('usage takes what to sum by and which calls', async (context) => {
  const args = [...STORE, '--by', 'day', '--from', '2026-11-24', '--to', '2026-11-25', '--outcome', 'ok'];
  const { stdout } = await runUsage(context, args, RECORDS);
  assert.match(stdout, /^day +calls .*\n2026-11-24 +1 .*\n$/);
});

test('usage sums by tier, and of one', async (context) => {
  const usage = { ...NO_USAGE, input: 7, tier: 'priority' };
  const records = [...RECORDS, makeRecord({ usage }), makeRecord({ usage, model: 'other' })];
  const all = await runUsage(context, [...STORE, '--by', 'tier'], records);
  assert.match(all.stdout, /^tier +calls .*\nstandard +4 .*\npriority +2 .*\n$/);
  const one = await runUsage(context, [...STORE, '--by', 'model', '--tier', 'priority'], records);
  assert.match(one.stdout, /^model +calls .*\nother +1 .*\nsmart +1 .*\n$/);
  const none = await runUsage(context, [...STORE, '--by', 'tier', '--tier', 'standard'], records);
  assert.match(none.stdout, /^tier +calls .*\nstandard +4 .*\n$/);
});

test('usage --json prints the sums as the admin API gives them', async (context) => {
  const { stdout } = await runUsage(
    context,
    [...STORE, '--json', '--by', 'tenant', '--tenant', 'acme'],
    RECORDS,
  );
  assert.deepEqual(JSON.parse(stdout), [
    {
      tenant: 'acme',
      calls: 2,
      failed: 0,
      tokens: {
        input: 200_100,
        inputAudio: 0,
        cacheRead: 50_000,
        cacheWrite: 0,
        cacheWrite1h: 0,
        output: 51,
        outputAudio: 0,
        reasoning: 0,
      },
      costMicroUsd: 1_500_600,
      unpricedCalls: 0,
    },
  ]);
});

test('usage --csv prints the sums for spreadsheets', async (context) => {
  const { stdout } = await runUsage(
    context,
    [...STORE, '--csv', '--by', 'tenant', '--tenant', 'acme'],
    RECORDS,
  );
  assert.equal(
    stdout,
    [
      'tenant,calls,failed,input,inputAudio,cacheRead,cacheWrite,cacheWrite1h,output,outputAudio,reasoning,costMicroUsd,unpricedCalls,cachedCalls,savedMicroUsd',
      'acme,2,0,200100,0,50000,0,0,51,0,0,1500600,0,,',
      '',
    ].join('\r\n'),
  );
});

test('usage finds the store in the config', async (context) => {
  const config = 'store: sqlite:./data/fairlead.db\n';
  const { stdout, exitCode } = await runUsage(
    context,
    ['--by', 'tenant', '--tenant', 'acme'],
    RECORDS,
    config,
  );
  assert.match(stdout, /^tenant .*\nacme /);
  assert.equal(exitCode, 0);
});

test('usage says so when there are no calls', async (context) => {
  const { stdout, exitCode } = await runUsage(context, STORE, []);
  assert.equal(stdout, 'No calls.\n');
  assert.equal(exitCode, 0);
});

test('a model named to upset a terminal does not', async (context) => {
  const model = `a\u001b[2J\nb\u202e${'x'.repeat(100)}`;
  const { stdout } = await runUsage(context, [...STORE, '--by', 'model'], [makeRecord({ model })]);
  const [, row, ...rest] = stdout.split('\n');
  assert.match(row ?? '', /^a\\u\{1b\}\[2J\\u\{a\}b\\u\{202e\}x+… /);
  assert.deepEqual(rest, ['']);
});

const MISTAKES: [args: string[], message: RegExp][] = [
  [
    ['--by', 'month'],
    /^fairlead usage: 'by': give a list of tenant, key, model, target, tier, prompt, side, day\.\n/,
  ],
  [['--from', 'yesterday'], /^fairlead usage: 'from': give a day such as/],
  [['--since', '2026-11-01'], /^fairlead usage: Unknown option '--since'/],
  [['--json', '--csv', ...STORE], /^fairlead usage: give --json or --csv, not both\n/],
  [['--config', 'a.yaml', ...STORE], /^fairlead usage: give --config or --store, not both\n/],
];

for (const [args, message] of MISTAKES) {
  test(`usage ${args.join(' ')} is refused with the usage text`, async (context) => {
    const { exitCode, stderr, stdout } = await runUsage(context, args, []);
    assert.match(stderr, message);
    assert.match(stderr, /Usage: fairlead usage \[--by LIST\]/);
    assert.equal(stdout, '');
    assert.equal(exitCode, 2);
  });
}

test('a store that is not there is named', async (context) => {
  const { exitCode, stderr } = await runUsage(context, ['--store', 'sqlite:other.db'], []);
  assert.match(stderr, /^fairlead usage: There is no database at .*other\.db\. The gateway makes it/);
  assert.equal(exitCode, 1);
});

test('a config that is wrong is explained', async (context) => {
  const { exitCode, stderr } = await runUsage(context, [], [], 'stor: sqlite:x\n');
  assert.match(stderr, /fairlead\.yaml/);
  assert.match(stderr, /stor/);
  assert.equal(exitCode, 1);
});
