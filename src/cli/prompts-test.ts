import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openConfig } from '../config/load.ts';
import { findPromptDirectory } from '../prompts/example-prompts.ts';
import { listFiles } from '../prompts/prompt-directory.ts';
import type { ProviderDeclaration } from '../upstream/provider.ts';
import { type CliIo, EXIT } from './command.ts';
import { type JunitCase, writeJunit } from './junit.ts';
import { type PromptTest, readTestFile, TestFileError } from './prompt-test-file.ts';
import { startTestGateway } from './prompt-test-gateway.ts';
import { runPromptTest, type TestedGateway, type TestResult } from './prompt-test-run.ts';
import { runParsed } from './run-parsed.ts';
import { readTestedPrompts, type TestedPrompts } from './tested-prompts.ts';

export const PROMPTS_TEST_USAGE = `prompts test [NAME…] [--model MODEL] [--config FILE] [--url URL --key KEY [--admin-key KEY]]
                      [--junit FILE] [--json]

Runs the tests that stand beside prompts (NAME.test.yaml): of those that are named, or of all. A gateway is started for
them, with the providers, models and prompts of the configuration and books of its own.

  --model MODEL     what all prompts call in place of their own model; at --url the prompts must let it be set
  --config FILE     the configuration, found as 'fairlead start' finds it
  --url URL         a gateway that runs already is asked, with --key (else FAIRLEAD_KEY); the files of tests are read here
  --admin-key KEY   of that gateway, to learn what calls cost; else FAIRLEAD_ADMIN_KEY
  --junit FILE      writes the results as JUnit XML, too
  --json            the results as JSON

Exit code: 0 all passed, 1 a test failed or could not be run, 2 the command line is wrong.
`;

const OPTIONS = {
  model: { type: 'string' },
  config: { type: 'string' },
  url: { type: 'string' },
  key: { type: 'string' },
  'admin-key': { type: 'string' },
  junit: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** `fairlead prompts test`. `args`: what stands behind that. */
export async function runPromptsTest(
  args: string[],
  io: CliIo,
  declarations: readonly ProviderDeclaration[],
): Promise<number> {
  const keyOf = ({ key }: { key?: string | undefined }) => key ?? io.env['FAIRLEAD_KEY'];
  return runParsed(
    { name: 'prompts test', usage: PROMPTS_TEST_USAGE, io },
    () => parseArgs({ args, options: OPTIONS, allowPositionals: true }),
    ({ values }) =>
      values.url !== undefined && keyOf(values) === undefined
        ? 'give the --key of the gateway at --url, or set FAIRLEAD_KEY'
        : undefined,
    async ({ values, positionals }) => {
      const { env, cwd } = io;
      const loaded = await openConfig({ configFile: values.config, env, cwd, knownProviders: declarations });
      const directory = resolve(cwd, findPromptDirectory(loaded.config.prompts?.directory, loaded.path));
      const { url, model } = values;
      const tests = await readTests(directory, positionals, io);
      const tested = tests && url === undefined ? await readPrompts(directory, positionals, io) : undefined;
      if (!tests || (url === undefined && !tested)) return EXIT.failed;
      const started = tested && (await startTestGateway(loaded, tested, model, declarations, io));
      const adminKey = values['admin-key'] ?? env['FAIRLEAD_ADMIN_KEY'];
      const gateway = started ?? {
        url: (url ?? '').replace(/\/+$/, ''),
        key: keyOf(values) ?? '',
        adminKey,
        model,
      };
      const startedAt = Date.now();
      try {
        const results = await runAll(
          gateway,
          tests,
          (result) => values.json || io.stdout.write(tell(result)),
        );
        if (values.json) io.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
        else io.stdout.write(summarize(results));
        if (values.junit !== undefined)
          await writeFile(resolve(cwd, values.junit), toJunit(results, startedAt));
        return results.every(({ failures }) => failures.length === 0) ? EXIT.ok : EXIT.failed;
      } finally {
        await started?.stop();
      }
    },
  );
}

const ENDING = '.test.yaml';

/** The tests of prompts by their names; `undefined` where a file is wrong, or a prompt has none, which is told. */
async function readTests(
  directory: string,
  names: readonly string[],
  io: CliIo,
): Promise<Map<string, PromptTest[]> | undefined> {
  const files = await orTold(listFiles(directory, ENDING), directory, io);
  if (!files) return undefined;
  const found = files.map((path) => path.slice(0, -ENDING.length)).toSorted();
  const missing = names.filter((name) => !found.includes(name));
  for (const name of missing)
    io.stderr.write(`fairlead prompts test: there is no ${join(directory, name + ENDING)}\n`);
  if (found.length === 0) io.stderr.write(`fairlead prompts test: no ${ENDING} is in ${directory}\n`);
  let isWrong = missing.length > 0 || found.length === 0;
  const tests = new Map<string, PromptTest[]>();
  for (const name of names.length > 0 ? names : found) {
    if (missing.includes(name)) continue;
    const path = join(directory, name + ENDING);
    try {
      tests.set(name, readTestFile(path, await readFile(path, 'utf8')));
    } catch (error) {
      if (!(error instanceof TestFileError)) throw error;
      io.stderr.write(`${error.message}\n`);
      isWrong = true;
    }
  }
  return isWrong ? undefined : tests;
}

/** `undefined` where a file is broken, which is told. */
async function readPrompts(
  directory: string,
  names: readonly string[],
  io: CliIo,
): Promise<TestedPrompts | undefined> {
  const tested = await orTold(readTestedPrompts(directory, names), directory, io);
  for (const fault of tested?.faults ?? []) io.stderr.write(`${fault}\n`);
  return tested?.faults.length === 0 ? tested : undefined;
}

/** What is read; `undefined` where the directory cannot be, which is told. */
async function orTold<T>(reading: Promise<T>, directory: string, io: CliIo): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    io.stderr.write(`fairlead prompts test: the prompts in '${directory}' cannot be read: ${message}\n`);
    return undefined;
  }
}

/** One after the other: models have limits, and latencies are expected of calls that are alone. */
async function runAll(
  gateway: TestedGateway,
  tests: ReadonlyMap<string, readonly PromptTest[]>,
  onResult: (result: TestResult) => unknown,
): Promise<TestResult[]> {
  const results: TestResult[] = [];
  for (const [prompt, ofPrompt] of tests)
    for (const test of ofPrompt) {
      const result = await runOne(gateway, prompt, test);
      results.push(result);
      onResult(result);
    }
  return results;
}

async function runOne(gateway: TestedGateway, prompt: string, test: PromptTest): Promise<TestResult> {
  try {
    return await runPromptTest(gateway, prompt, test);
  } catch (error) {
    // `fetch` says why in the cause alone.
    const { message, cause } = error instanceof Error ? error : new Error(String(error));
    const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
    return {
      ...{ prompt, test: test.name, failures: [`it could not be run: ${why}`] },
      ...{ couldNotBeRun: true, ms: 0 },
    };
  }
}

function tell({ prompt, test, failures, ms }: TestResult): string {
  const line = `${failures.length === 0 ? 'ok  ' : 'FAIL'} ${prompt}: ${test} (${Math.round(ms)} ms)\n`;
  return line + failures.map((failure) => `     ${failure.replaceAll('\n', '\n     ')}\n`).join('');
}

function summarize(results: readonly TestResult[]): string {
  const failed = results.filter(({ failures }) => failures.length > 0).length;
  return `${results.length - failed} passed, ${failed} failed\n`;
}

function toJunit(results: readonly TestResult[], startedAt: number): string {
  const suites = Map.groupBy(results, ({ prompt }) => prompt);
  return writeJunit(
    [...suites].map(([name, ofSuite]) => ({ name, cases: ofSuite.map(toCase) })),
    startedAt,
  );
}

function toCase({ test, failures, couldNotBeRun, ms }: TestResult): JunitCase {
  const passed = { name: test, seconds: ms / 1000 };
  const [first] = failures;
  if (first === undefined) return passed;
  const kind = couldNotBeRun ? 'error' : 'failure';
  const [message = ''] = first.split('\n', 1);
  return { ...passed, problem: { kind, message, text: failures.join('\n') } };
}
