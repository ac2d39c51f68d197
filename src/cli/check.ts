import { parseArgs } from 'node:util';
import { dayOf } from '../config/days.ts';
import { chooseConfigFile, DEFAULT_FILE } from '../config/environment.ts';
import type { KnownProvider } from '../config/known-provider.ts';
import { loadConfig } from '../config/load.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import type { Config } from '../config/resolve.ts';
import { listRetiring, type Retiring } from '../lifecycle/list-retiring.ts';
import { type CliIo, type Command, EXIT } from './command.ts';

const USAGE = `check [FILE]

Reads a config file as the gateway would at its start, with the same environment, and reports all that is wrong.
Without FILE: the file that the gateway would use (FAIRLEAD_CONFIG, or ./${DEFAULT_FILE}).

Exit code: 0 the file can be used, 1 it cannot, 2 the command line is wrong.
`;

/** `fairlead check`. `knownProviders`: the declarations that the gateway comes with. */
export function checkCommand(knownProviders: readonly KnownProvider[]): Command {
  return {
    name: 'check',
    summary: 'check a config file and report all that is wrong with it',
    usage: USAGE,
    run: (args, io) => runCheck(args, io, knownProviders),
  };
}

/** Checks one file: its summary and warnings, or every problem on its own line. Gives the exit code. */
export async function runCheck(
  args: string[],
  io: CliIo,
  knownProviders: readonly KnownProvider[],
): Promise<number> {
  const named = readFileArgument(args);
  if ('mistake' in named) {
    io.stderr.write(`fairlead check: ${named.mistake}\n\nUsage: fairlead ${USAGE}`);
    return EXIT.usage;
  }
  const file = chooseConfigFile(named.file, io.env, io.cwd);
  if (file === null) {
    io.stderr.write(`fairlead check: there is no ${DEFAULT_FILE} here: name a file\n`);
    return EXIT.usage;
  }
  try {
    const config = await loadConfig({ configFile: file, env: io.env, cwd: io.cwd, knownProviders });
    for (const end of listRetiring(config)) io.stderr.write(`${file}: warning: ${describeEnd(end)}\n`);
    io.stdout.write(`${file}: ok (${summarize(config)})\n`);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) io.stderr.write(`${formatProblem(problem)}\n`);
    return EXIT.failed;
  }
}

function describeEnd({ kind, name, atMs, successor, models }: Retiring): string {
  const whose = kind === 'model' ? `the model '${name}'` : `'${name}', which ${models.join(', ')} leads to,`;
  const advice = successor === undefined ? '' : `; its successor is '${successor}'`;
  return `${whose} is retired on ${dayOf(atMs)}${advice}`;
}

function readFileArgument(args: string[]): { file: string | undefined } | { mistake: string } {
  try {
    const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
    return positionals.length > 1 ? { mistake: 'one file at a time' } : { file: positionals[0] };
  } catch (error) {
    // parseArgs throws a TypeError with a message for the user.
    if (error instanceof TypeError) return { mistake: error.message };
    throw error;
  }
}

function summarize(config: Config): string {
  const declared = Object.values(config.providers).filter((provider) => provider.origin === 'file').length;
  const counts: [number, string][] = [
    [declared, 'provider'],
    [Object.keys(config.models).length, 'model'],
    [Object.keys(config.tenants).length, 'tenant'],
  ];
  return counts.map(([count, noun]) => `${count} ${noun}${count === 1 ? '' : 's'}`).join(', ');
}
