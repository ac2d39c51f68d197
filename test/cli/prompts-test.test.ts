import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { diffLines } from '../../src/cli/text-diff.ts';
import { main } from '../../src/main.ts';
import { ADMIN_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

let said = '';
let asked: { model: string; temperature?: number; messages: { content: string }[] };
/** Says what is to be said; `echo`: what it was told. */
const upstream = await startRawUpstream((response, body) => {
  const call = JSON.parse(body) as typeof asked;
  const told = call.messages[0]?.content ?? '';
  const isJudge = told.startsWith('Judge');
  if (!isJudge) asked = call;
  response.setHeader('content-type', 'application/json');
  response.end(chatAnswer(isJudge ? '{"score": 0.4}' : said === 'echo' ? told : said));
});
after(upstream.close);

async function setUp(context: TestContext, tests: string) {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-prompt-tests-'));
  context.after(() => rm(folder, { recursive: true }));
  const schema = 'output: { schema: { kind: string, urgent?: boolean } }';
  await writeFile(join(folder, 'triage.prompt'), `---\nmodel: up/m\n${schema}\n---\nSort {{text}}\n`);
  await writeFile(
    join(folder, 'judge.prompt'),
    '---\nmodel: up/m\noutput: { schema: { score: number } }\n---\nJudge {{json input}} {{json output}}\n',
  );
  await writeFile(join(folder, 'triage.test.yaml'), tests);
  await writeFile(
    join(folder, 'fairlead.yaml'),
    `providers: { up: { adapter: openai-compatible, baseUrl: "${upstream.baseUrl}" } }
prices: { up/*: { input: 1000, output: 1000 } }
prompts: { directory: . }
tenants: { acme: { models: ["*"], keys: [{ name: app, secret: "\${NOT_SET_HERE:-sk-fl-nothing-000000000000}" }] } }
`,
  );
  const run = async (...args: string[]) => {
    let [stdout, stderr] = ['', ''];
    const code = await main(['prompts', 'test', ...args], {
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      ...{ env: {}, cwd: folder },
    });
    return { code, stdout, stderr };
  };
  return { folder, run };
}

test('the tests of the examples pass with echo', async () => {
  let [stdout, stderr] = ['', ''];
  const code = await main(['prompts', 'test'], {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    ...{ env: {}, cwd: tmpdir() },
  });
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /\n4 passed, 0 failed\n$/);
});

const PASSING = `tests:
  - name: sorts
    input: { text: x }
    expect:
      schema: { kind: string, urgent?: boolean }
      equals: { urgent: true, kind: bug }
      contains: [bug, urgent]
      regex: '"kind": ?"bug"'
      judge: { prompt: judge, least: 0.3 }
      maxLatency: 60s
      maxCostUsd: 1
`;

test('what meets every expectation passes, with another model as well', async (context) => {
  const { run } = await setUp(context, PASSING);
  said = '{"kind": "bug", "urgent": true}';
  const { code, stdout, stderr } = await run();
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /^ok {3}triage: sorts \(\d+ ms\)\n1 passed, 0 failed\n$/);
  assert.equal(asked.model, 'm');
  assert.equal((await run('triage', '--model', 'up/other')).code, 0);
  assert.equal(asked.model, 'other');
});

const FAILING = `tests:
  - name: all wrong
    input: { text: x }
    expect:
      schema: { kind: string, urgent: boolean }
      equals: { kind: wish, more: 1 }
      contains: wish
      regex: ^wish
      judge: { prompt: judge, least: 0.5 }
      maxCostUsd: 0
  - name: right
    input: { text: x }
    expect: { contains: bug }
`;

test('each expectation that is not met is told, and is in the JUnit file', async (context) => {
  const { folder, run } = await setUp(context, FAILING);
  said = '{"kind": "bug"}';
  const { code, stdout } = await run('--junit', 'results.xml');
  assert.equal(code, 1);
  for (const part of [
    /FAIL triage: all wrong/,
    /does not fit the schema: 'urgent': is missing/,
    /- {3}"kind": "wish",\n {5}- {3}"more": 1\n {5}\+ {3}"kind": "bug"\n/,
    /does not contain "wish"/,
    /does not match \/\^wish\/u/,
    /the judge 'judge' gave 0\.4, and at least 0\.5 is expected/,
    /it cost \$[\d.e-]+, and may cost \$0/,
    /\n1 passed, 1 failed\n$/,
  ])
    assert.match(stdout, part);
  const xml = await readFile(join(folder, 'results.xml'), 'utf8');
  assert.match(
    xml,
    /<testsuite name="triage" .* tests="2" failures="1" errors="0" skipped="0" time="[\d.]+">/,
  );
  assert.match(xml, /<testcase classname="triage" name="right" time="[\d.]+"\/>/);
  assert.match(xml, /<failure message="it does not fit the schema[^"]*" type="failure">/);
  const { stdout: json } = await run('--json');
  assert.equal((JSON.parse(json) as { failures: string[] }[])[1]?.failures.length, 0);
});

test('a cost that nobody knows is told as that, with whose it is and what to do', async (context) => {
  const { folder, run } = await setUp(context, PASSING);
  await writeFile(join(folder, 'c# and f#.prompt'), '---\nmodel: echo/echo\n---\nHi {{name}}\n');
  await writeFile(
    join(folder, 'c# and f#.test.yaml'),
    'tests:\n  - { name: cheap, input: { name: Ada }, expect: { contains: Ada, maxCostUsd: 1 } }\n',
  );
  const { code, stdout } = await run('c# and f#');
  assert.equal(code, 1, stdout);
  const told =
    "     what it cost is not known: 'echo/echo' has no price. Say it under 'prices', or leave 'maxCostUsd' out\n";
  assert.match(stdout, /^FAIL c# and f#: cheap /);
  assert.ok(stdout.endsWith(`${told}0 passed, 1 failed\n`), stdout);
});

test('a file that is wrong is told with its lines, and nothing is run', async (context) => {
  const { run } = await setUp(
    context,
    'tests:\n  - name: x\n    input: { text: x }\n    expect:\n      contain: x\n      regex: (\n',
  );
  const { code, stderr } = await run();
  assert.equal(code, 1);
  assert.match(stderr, /triage\.test\.yaml:5: 'contain' is not known here/);
  assert.match(stderr, /triage\.test\.yaml:6: tests\.0\.expect\.regex: regular expressions/);
  const broken = await setUp(context, 'tests:\n  - name: "x\n');
  assert.match((await broken.run()).stderr, /triage\.test\.yaml:\d: /);
  const unknown = await run('nobody');
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /there is no .*nobody\.test\.yaml/);
});

const ECHOES = 'tests:\n  - { name: echoes, input: { text: x }, expect: { equals: "Echo: Say x" } }\n';

test('another model changes nothing but what is called, in no file', async (context) => {
  const { folder, run } = await setUp(context, ECHOES);
  const prompt = '---\nmodel: up/m\n---\nSay {{text}}';
  await mkdir(join(folder, 'elsewhere/linked'), { recursive: true });
  await mkdir(join(folder, 'prompts'));
  await writeFile(join(folder, 'fairlead.yaml'), 'prompts: { directory: prompts }\n');
  await writeFile(join(folder, 'elsewhere/one.prompt'), prompt);
  await writeFile(join(folder, 'elsewhere/linked/inner.prompt'), prompt);
  await symlink('../elsewhere/one.prompt', join(folder, 'prompts/one.prompt'));
  await symlink('../elsewhere/linked', join(folder, 'prompts/linked'));
  const files = {
    mark: `\uFEFF${prompt}`,
    none: '---\n---\nSay {{text}}',
    partial: '---\nmodel: up/m\n---\n{{> say}} {{text}}',
    _say: 'Say',
  };
  for (const [name, source] of Object.entries(files))
    await writeFile(join(folder, `prompts/${name}.prompt`), source);
  for (const name of ['one', 'linked/inner', 'mark', 'none', 'partial'])
    await writeFile(join(folder, `prompts/${name}.test.yaml`), ECHOES);
  const { code, stdout, stderr } = await run('--model', 'echo/echo');
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /\n5 passed, 0 failed\n$/);
  for (const path of ['one', 'linked/inner'])
    assert.equal(await readFile(join(folder, `elsewhere/${path}.prompt`), 'utf8'), prompt, path);
});

test('a prompt file that is broken is told with its line, and nothing is run', async (context) => {
  const { folder, run } = await setUp(context, PASSING);
  said = '{"kind": "bug", "urgent": true}';
  await writeFile(join(folder, 'broken.prompt'), '---\nmodel: m\n---\n{{#if x}}');
  await writeFile(join(folder, '_part.prompt'), '\n{{nothing x}}');
  await writeFile(join(folder, 'caller.prompt'), '---\nmodel: m\n---\n{{> part}}');
  for (const args of [[], ['--model', 'up/other']]) {
    const { code, stdout, stderr } = await run(...args);
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^\S+\/broken\.prompt:4: /m);
    assert.match(stderr, /^\S+\/_part\.prompt:2: /m);
  }
  assert.equal((await run('triage', '--model', 'up/other')).code, 0);
});

test('what cannot be read is told', async (context) => {
  const alias = await setUp(context, 'tests:\n  - name: *nowhere\n');
  assert.match((await alias.run()).stderr, /triage\.test\.yaml:1: the file cannot be read: /);
  const { folder, run } = await setUp(context, PASSING);
  await writeFile(join(folder, 'fairlead.yaml'), 'prompts: { directory: nowhere }\n');
  const { code, stderr } = await run();
  assert.equal(code, 1);
  assert.match(stderr, /^fairlead prompts test: the prompts in '\S+\/nowhere' cannot be read: ENOENT/);
});

test('a schema that is none is told with its line', async (context) => {
  const { run } = await setUp(
    context,
    'tests:\n  - name: x\n    input: { text: x }\n    expect:\n      schema:\n        kind: strin\n',
  );
  const { code, stderr } = await run();
  assert.equal(code, 1);
  assert.match(stderr, /triage\.test\.yaml:6: tests\.0\.expect\.schema: there is no type 'strin'/);
});

const SMART = `models:
  smart: { targets: [up/old, up/other], fallbacks: { contextLength: [up/long] } }
rollouts:
  better: { model: smart, stable: up/old, candidate: { target: up/new, parameters: { temperature: 0.5 } } }
  worded: { prompt: triage, stable: 1, candidate: 2 }
`;

test("a rollout's candidate answers the prompts that call its model, before any user meets it", async (context) => {
  const { folder, run } = await setUp(context, PASSING);
  said = '{"kind": "bug", "urgent": true}';
  const file = join(folder, 'fairlead.yaml');
  await writeFile(file, (await readFile(file, 'utf8')) + SMART);
  await writeFile(join(folder, 'smart.prompt'), '---\nmodel: smart\n---\nSay {{text}}');
  await writeFile(
    join(folder, 'smart.test.yaml'),
    'tests:\n  - { name: says, input: { text: x }, expect: { contains: bug } }\n',
  );
  const { code, stdout, stderr } = await run('--rehearse', 'better');
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /^ok {3}smart: says \(\d+ ms\)\n1 passed, 0 failed\n$/);
  assert.deepEqual([asked.model, asked.temperature], ['new', 0.5]);
  assert.equal((await run()).code, 0);
  assert.equal(asked.model, 'm', 'nothing of the rollout is in what runs without it');
  for (const [args, reason] of [
    [['triage', '--rehearse', 'better'], /the prompt 'triage' does not call the model 'smart'/],
    [['--rehearse', 'worded'], /moves a prompt, whose versions a running gateway has: give its --url/],
    [['--rehearse', 'nothing'], /the configuration has no rollout 'nothing'/],
  ] as const) {
    const refused = await run(...args);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, reason);
  }
  assert.equal((await run('--rehearse', 'better', '--model', 'up/m')).code, 2);
});

test('a version is tried at the gateway that has it, by its name or as a candidate', async (context) => {
  const { folder, run } = await setUp(context, PASSING);
  const prompts = join(folder, 'published');
  await mkdir(prompts);
  const write = (words: string) =>
    writeFile(join(prompts, 'triage.prompt'), `---\nmodel: up/m\n---\n${words} {{text}}`);
  await write('First');
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { smart: { targets: ['up/m'] } },
    prompts: { directory: prompts, publish: 'manual' },
    rollouts: {
      words: { prompt: 'triage', stable: 1, candidate: 2 },
      better: { model: 'smart', stable: 'up/m', candidate: 'up/n' },
    },
    tenants: { acme: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
  });
  context.after(gateway.stop);
  const publish = async (version: string, label: string) => {
    const url = `${gateway.url}/admin/v1/prompts/triage/publish`;
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
    return fetch(url, { method: 'POST', headers, body: JSON.stringify({ version, label }) });
  };
  assert.equal((await publish('1', 'production')).status, 200);
  await write('Second');
  for (let looks = 0; (await publish('2', 'staging')).status !== 200 && looks < 100; looks += 1)
    await setTimeout(100);

  await writeFile(
    join(folder, 'triage.test.yaml'),
    'tests:\n  - { name: second, input: { text: x }, expect: { contains: Second } }\n',
  );
  said = 'echo';
  const at = ['--url', gateway.url, '--key', TEST_KEY, '--admin-key', ADMIN_KEY];
  for (const [args, name, code] of [
    [['triage@2'], 'triage@2', 0],
    [['triage@staging', 'triage@1'], 'triage@1', 1],
    [['--rehearse', 'words'], 'triage@2', 0],
    [['triage', '--rehearse', 'words'], 'triage@2', 0],
    [['triage'], 'triage', 1],
  ] as const) {
    const ran = await run(...args, ...at, '--junit', 'versions.xml');
    assert.equal(ran.code, code, `${args.join(' ')}: ${ran.stdout}${ran.stderr}`);
    assert.match(
      await readFile(join(folder, 'versions.xml'), 'utf8'),
      new RegExp(`<testsuite name="${name}"`),
    );
  }
  for (const [args, reason] of [
    [['other', '--rehearse', 'words'], /the rollout 'words' moves 'triage', and not 'other'/],
    [['--rehearse', 'better'], /moves a model, .*: leave --url out/],
    [['--rehearse', 'nothing'], /There is no rollout 'nothing'/],
  ] as const) {
    const refused = await run(...args, ...at);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, reason);
  }
  const versionless = await run('triage@2');
  assert.equal(versionless.code, 2);
  assert.match(versionless.stderr, /'triage@2': a running gateway has the versions: give its --url/);
});

test('a gateway that runs already is asked', async (context) => {
  const { folder, run } = await setUp(context, PASSING);
  said = '{"kind": "bug", "urgent": true}';
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    prices: { 'up/*': { input: 1, output: 1 } },
    prompts: { directory: folder },
    tenants: { acme: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
  });
  context.after(gateway.stop);
  const at = ['--url', gateway.url, '--key', TEST_KEY];
  const { code, stdout } = await run(...at, '--admin-key', ADMIN_KEY);
  assert.equal(code, 0, stdout);
  const without = await run(...at);
  assert.equal(without.code, 1);
  assert.match(without.stdout, /not known without an admin key/);
  const refused = await run(...at, '--model', 'up/other', '--admin-key', ADMIN_KEY);
  assert.match(refused.stdout, /does not let 'model' be set/);
  assert.equal((await run('--url', gateway.url)).code, 2);
  const nobody = await run('--url', 'http://127.0.0.1:1', '--key', TEST_KEY, '--junit', 'none.xml');
  assert.match(nobody.stdout, /it could not be run: fetch failed: bad port/);
  const xml = await readFile(join(folder, 'none.xml'), 'utf8');
  assert.match(xml, / failures="0" errors="1" /);
  assert.match(xml, /<error message="it could not be run: [^"]*" type="error">/);
});

test('a diff has all lines of both texts, in order', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const diff = diffLines(before.join('\n'), after.join('\n'));
      const without = (sign: string) =>
        diff.filter((line) => !line.startsWith(sign)).map((line) => line.slice(2));
      assert.deepEqual(without('+'), before);
      assert.deepEqual(without('-'), after);
    }),
  );
});
