import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startWorld, type World } from '../sdk/support.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { AGENTS, type AgentName, findAgent } from './installed.ts';
import { forbidNetwork, type NoNetwork } from './no-network.ts';

/** An agent takes some seconds; on a machine with other work, many. */
const LIMIT_MS = 110_000;

/** How one of them is told what to do without a terminal. */
export interface Headless {
  args: string[];
  env: Record<string, string>;
  stdin: string;
}

export interface Task {
  world: World;
  /** The model as a client names it. */
  model: string;
  /** Lines of `fake-script.ts`. */
  prompt: string;
  /** Empty, and gone after the run. */
  home: string;
}

/** How an agent is run, and its own words for what every agent can do. */
export interface Agent {
  /** It is tried with the models of Bedrock and Vertex, too. */
  callsClouds?: true;
  name: AgentName;
  headless(task: Task): Headless | Promise<Headless>;
  readCall(path: string): string;
  /** `content`: one line. */
  writeCall(path: string, content: string, model: string): string;
  shellCall(command: string): string;
}

export interface Finished {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

export interface Workshop {
  world: World;
  /** A test of a whole task with this model; skipped where the agent is not installed. */
  finishes(title: string, model: string, options?: Trouble): void;
  /** What must be true after all of them; call it last. */
  checkAll(): void;
}

export interface Trouble {
  /** Directives before the script of the first so many requests (`setBehaviour`). */
  at: (world: World) => FakeProvider;
  script: string;
  times: number;
}

const SECRET = 'the secret word is heron';

/**
 * Gives an agent tasks through one gateway with strict fakes behind it. A task takes all that an agent does in a turn:
 * two files read at once, one written, a command run whose output only the disk knows, and a last word about it.
 */
export async function openWorkshop(agent: Agent): Promise<Workshop> {
  const binary = findAgent(agent.name);
  const skip =
    binary === undefined &&
    `${AGENTS[agent.name].package} is not installed: run \`npm run test:clients\`, or name its folder in FAIRLEAD_CLIENTS`;
  const world = await startWorld({}, {}, agent.callsClouds);
  const network = await forbidNetwork();
  after(() => network.close());
  let scriptedRefusals = 0;

  const finishes = (title: string, model: string, trouble?: Trouble): void => {
    test(`${agent.name}: ${title} (${model})`, { skip, timeout: LIMIT_MS + 5000 }, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'fairlead-work-'));
      const home = await mkdtemp(join(tmpdir(), 'fairlead-home-'));
      try {
        await writeFile(join(folder, 'secret.txt'), `${SECRET}\n`);
        await writeFile(join(folder, 'other.txt'), 'and the other one is egret\n');
        if (trouble) {
          trouble.at(world).setBehaviour(trouble.script, trouble.times);
          scriptedRefusals += trouble.times;
        }
        const task = { world, model, prompt: writePrompt(agent, folder, model), home };
        const finished = await runAgent(binary ?? '', await agent.headless(task), { folder, home, network });
        const shown = `${finished.stdout}\n${finished.stderr}`;
        assert.equal(finished.exitCode, 0, shown);
        await assertFile(join(folder, 'written.txt'), 'heron\n', shown);
        await assertFile(join(folder, 'joined.txt'), `${SECRET}\nheron\n`, shown);
        assert.match(finished.stdout, /Tool said: [\s\S]*the secret word is heron/);
        assert.deepEqual(network.asked, [], 'somebody else was to be reached');
      } finally {
        trouble?.at(world).setBehaviour(undefined);
        await rm(folder, { recursive: true, force: true });
        await rm(home, { recursive: true, force: true });
      }
    });
  };

  return {
    world,
    finishes,
    checkAll: () => {
      test(
        `${agent.name}: no provider refused anything, and the usage records say what was served`,
        {
          skip,
        },
        () => world.checkBooks(scriptedRefusals),
      );
    },
  };
}

async function assertFile(path: string, content: string, shown: string): Promise<void> {
  assert.ok(existsSync(path), `${path} was not written:\n${shown}`);
  assert.equal(await readFile(path, 'utf8'), content, shown);
}

function writePrompt(agent: Agent, folder: string, model: string): string {
  return [
    'think about birds',
    agent.readCall(join(folder, 'secret.txt')),
    agent.readCall(join(folder, 'other.txt')),
    `then ${agent.writeCall(join(folder, 'written.txt'), 'heron\n', model)}`,
    `then ${agent.shellCall('cat secret.txt written.txt | tee joined.txt')}`,
  ].join('\n');
}

function runAgent(
  binary: string,
  { args, env, stdin }: Headless,
  { folder, home, network }: { folder: string; home: string; network: NoNetwork },
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    // Of the environment of the test only the path is known to it: no settings of whoever runs this reach the agent.
    const child = spawn(binary, args, {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: home, TMPDIR: home, TERM: 'dumb', ...network.env, ...env },
      detached: true,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    const tooLate = setTimeout(() => endGroup(child.pid), LIMIT_MS);
    child.on('error', reject);
    child.on('close', (exitCode) => {
      clearTimeout(tooLate);
      // What it started in the background ends with it.
      endGroup(child.pid);
      resolve({ exitCode, stdout, stderr });
    });
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
  });
}

/** The process and all that it started, as far as they are still there. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
