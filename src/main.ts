import { readFileSync } from 'node:fs';
import { applyCommand, diffCommand, exportCommand } from './cli/apply.ts';
import { checkCommand } from './cli/check.ts';
import { type CliIo, type Command, EXIT } from './cli/command.ts';
import { keysCommand } from './cli/keys.ts';
import { modelsCommand } from './cli/models.ts';
import { promptsCommand } from './cli/prompts.ts';
import { rehearseCommand } from './cli/rehearse.ts';
import { rolloutsCommand } from './cli/rollouts.ts';
import { secretsCommand } from './cli/secrets.ts';
import { startCommand } from './cli/start.ts';
import { usageCommand } from './cli/usage.ts';
import { PACKAGE_ROOT } from './package-root.ts';
import { loadDeclarations } from './upstream/load-declarations.ts';

/** Runs one command line; gives the exit code. */
export async function main(args: string[], io: CliIo = processIo()): Promise<number> {
  const declarations = await loadDeclarations();
  const commands = [
    startCommand(declarations),
    checkCommand(declarations),
    applyCommand,
    diffCommand,
    exportCommand,
    keysCommand,
    modelsCommand,
    promptsCommand(declarations),
    rolloutsCommand,
    rehearseCommand,
    secretsCommand,
    usageCommand(declarations),
  ];
  const [name = '--help', ...rest] = args;
  if (name === '--version' || name === '-v') {
    io.stdout.write(`${readVersion()}\n`);
    return EXIT.ok;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    io.stdout.write(describeCommands(commands, rest[0]));
    return EXIT.ok;
  }
  const command = commands.find((candidate) => candidate.name === name);
  if (!command) {
    io.stderr.write(`fairlead: there is no command '${name}'.\n\n${describeCommands(commands)}`);
    return EXIT.usage;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.stdout.write(describeCommands(commands, name));
    return EXIT.ok;
  }
  return command.run(rest, io);
}

function describeCommands(commands: readonly Command[], name?: string): string {
  const command = commands.find((candidate) => candidate.name === name);
  if (command) return `Usage: fairlead ${command.usage}\n`;
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`);
  return `fairlead: an AI gateway. One OpenAI-compatible door in front of every model provider.

Usage: fairlead COMMAND [OPTIONS]

${lines.join('\n')}

  fairlead COMMAND --help   says more
  fairlead --version
`;
}

function readVersion(): string {
  const text = readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function processIo(): CliIo {
  return { stdout: process.stdout, stderr: process.stderr, env: process.env, cwd: process.cwd() };
}
