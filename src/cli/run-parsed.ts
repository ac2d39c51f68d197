import { ConfigError, formatProblem } from '../config/problem.ts';
import { AdminError } from './admin-client.ts';
import { type CliIo, EXIT } from './command.ts';

/**
 * Runs a command as its line is read: a mistake in that is told with how the command is used, and is exit code 2; what the gateway, a file
 * or the network then refuses is exit code 1.
 *
 * @param parse throws what `parseArgs` throws
 */
export async function runParsed<Line>(
  { name, usage, io }: { name: string; usage: string; io: CliIo },
  parse: () => Line,
  findMistake: (line: Line) => string | undefined,
  work: (line: Line) => Promise<number>,
): Promise<number> {
  const read = readArguments(() => ({ line: parse() }));
  const mistake = 'mistake' in read ? read.mistake : findMistake(read.line);
  if ('mistake' in read || mistake !== undefined) {
    io.stderr.write(`fairlead ${name}: ${mistake}\n\nUsage: fairlead ${usage}`);
    return EXIT.usage;
  }
  return reportErrors(name, io, () => work(read.line));
}

/** parseArgs throws a TypeError with a message for the user. */
function readArguments<T>(parse: () => T): T | { mistake: string } {
  try {
    return parse();
  } catch (error) {
    if (error instanceof TypeError) return { mistake: error.message };
    throw error;
  }
}

/** Runs a command's work; what the gateway, the file or the network refuse is told, and is exit code 1. */
async function reportErrors(name: string, io: CliIo, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const problem of error.problems) io.stderr.write(`${formatProblem(problem)}\n`);
    } else if (error instanceof AdminError) {
      io.stderr.write(`fairlead ${name}: ${error.message}\n`);
    } else throw error;
    return EXIT.failed;
  }
}
