import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type LoadedConfig, openConfig } from '../config/load.ts';
import { findPromptDirectory } from '../prompts/example-prompts.ts';
import { readReference } from '../prompts/versions.ts';
import type { ProviderDeclaration } from '../upstream/provider.ts';
import { AdminError, connectAdmin } from './admin-client.ts';
import { type CliIo, EXIT } from './command.ts';
import { type JunitCase, writeJunit } from './junit.ts';
import type { PromptTest } from './prompt-test-file.ts';
import { startTestGateway } from './prompt-test-gateway.ts';
import { runPromptTest, type TestedGateway, type TestResult } from './prompt-test-run.ts';
import { findRehearsedModel, findRehearsedVersion, type RehearsedModel } from './rehearsed-release.ts';
import { runParsed } from './run-parsed.ts';
import {
  type PromptTests,
  readPrompts,
  readTests,
  type TestedPrompts,
  type TestPlace,
} from './tested-prompts.ts';

export const PROMPTS_TEST_USAGE = `prompts test [NAME[@VERSION]…] [--model MODEL | --rehearse ROLLOUT] [--config FILE]
                      [--url URL --key KEY [--admin-key KEY]] [--junit FILE] [--json]

Runs the tests that stand beside prompts (NAME.test.yaml): of those that are named, or of all. A gateway is started for
them, with the providers, models and prompts of the configuration and books of its own. A VERSION is one of a gateway that
runs already (--url): a number, a label, 'draft', or the beginning of a hash.

  --model MODEL     what all prompts call in place of their own model; at --url the prompts must let it be set
  --rehearse ROLLOUT
                    its candidate answers, before any user meets it: that of a model, to the prompts that call the model; that
                    of a prompt, which needs --url and --admin-key
  --config FILE     the configuration, found as 'fairlead start' finds it
  --url URL         a gateway that runs already is asked, with --key (else FAIRLEAD_KEY); the files of tests are read here
  --admin-key KEY   of that gateway, to learn what calls cost; else FAIRLEAD_ADMIN_KEY
  --junit FILE      writes the results as JUnit XML, too
  --json            the results as JSON

Exit code: 0 all passed, 1 a test failed or could not be run, 2 the command line is wrong.
`;

const OPTIONS = {
  model: { type: 'string' },
  rehearse: { type: 'string' },
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
  return runParsed(
    { name: 'prompts test', usage: PROMPTS_TEST_USAGE, io },
    () => parseArgs({ args, options: OPTIONS, allowPositionals: true }),
    ({ values, positionals }) => findMistake(values, positionals, io),
    async ({ values, positionals }) => {
      const { env, cwd } = io;
      const loaded = await openConfig({ configFile: values.config, env, cwd, knownProviders: declarations });
      const directory = resolve(cwd, findPromptDirectory(loaded.config.prompts?.directory, loaded.path));
      const place = { directory, names: positionals, io };
      const opened = await (values.url === undefined
        ? openOwnGateway(loaded, place, values, declarations)
        : askRunningGateway(values.url, place, values));
      if (!opened) return EXIT.failed;
      const { gateway, tests, stop } = opened;
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
        await stop();
      }
    },
  );
}

interface Flags {
  model?: string | undefined;
  rehearse?: string | undefined;
  url?: string | undefined;
  key?: string | undefined;
  'admin-key'?: string | undefined;
}

function findMistake({ url, model, rehearse, ...flags }: Flags, names: string[], io: CliIo) {
  if (url !== undefined && keyOf(flags, io) === undefined)
    return 'give the --key of the gateway at --url, or set FAIRLEAD_KEY';
  if (model !== undefined && rehearse !== undefined)
    return 'the model is that of the rollout: give --model or --rehearse';
  const versioned = names.find((name) => readReference(name).version !== undefined);
  return url === undefined && versioned !== undefined
    ? `'${versioned}': a running gateway has the versions: give its --url`
    : undefined;
}

function keyOf({ key }: Flags, { env }: CliIo): string | undefined {
  return key ?? env['FAIRLEAD_KEY'];
}

interface Opened {
  gateway: TestedGateway;
  tests: PromptTests;
  stop(): Promise<void>;
}

/** A gateway that is started for the tests; `undefined` where a file is wrong, which is told. */
async function openOwnGateway(
  loaded: LoadedConfig,
  place: TestPlace,
  { model, rehearse }: Flags,
  declarations: readonly ProviderDeclaration[],
): Promise<Opened | undefined> {
  const release = rehearse === undefined ? undefined : findRehearsedModel(loaded, rehearse);
  const read = await readTests(place);
  const tested = read && (await readPrompts(place));
  if (!tested) return undefined;
  const tests = release ? testsOfCallers(release, read, tested, loaded, place) : read;
  const gateway = await startTestGateway(loaded, tested, { model, release }, declarations, place.io);
  return { gateway, tests, stop: gateway.stop };
}

/** Tests of the prompts that call the model that moves: of those alone, where none is named. */
function testsOfCallers(
  { model }: RehearsedModel,
  tests: PromptTests,
  { prompts }: TestedPrompts,
  { config }: LoadedConfig,
  { names }: TestPlace,
): PromptTests {
  const calls = (name: string) => {
    const prompt = prompts.find((one) => one.name === name);
    return (prompt?.model ?? config.prompts?.model) === model;
  };
  const other = names.find((name) => !calls(name));
  if (other !== undefined) throw new AdminError(`the prompt '${other}' does not call the model '${model}'`);
  const called = new Map([...tests].filter(([name]) => calls(name)));
  if (called.size === 0) throw new AdminError(`no prompt that has tests calls the model '${model}'`);
  return called;
}

/** A gateway that runs already; `undefined` where a file is wrong, which is told. */
async function askRunningGateway(url: string, place: TestPlace, flags: Flags): Promise<Opened | undefined> {
  const { io } = place;
  const { model, rehearse } = flags;
  const version =
    rehearse === undefined
      ? undefined
      : await findRehearsedVersion(connectAdmin({ ...flags, url }, io), rehearse);
  const other = version && place.names.find((name) => name !== version.prompt);
  if (other !== undefined)
    throw new AdminError(`the rollout '${rehearse}' moves '${version?.prompt}', and not '${other}'`);
  const tests = await readTests(version ? { ...place, names: [version.reference] } : place);
  if (!tests) return undefined;
  const gateway = {
    url: url.replace(/\/+$/, ''),
    key: keyOf(flags, io) ?? '',
    adminKey: flags['admin-key'] ?? io.env['FAIRLEAD_ADMIN_KEY'],
    model,
  };
  return { gateway, tests, stop: () => Promise.resolve() };
}

/** One after the other: models have limits, and latencies are expected of calls that are alone. */
async function runAll(
  gateway: TestedGateway,
  tests: PromptTests,
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
