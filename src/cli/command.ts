/** What a command sees of the outside, so that it can be tested without a process. */
export interface CliIo {
  stdout: TextSink;
  stderr: TextSink;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
}

/** The part of a writable stream that commands need. */
export interface TextSink {
  write(text: string): unknown;
}

/** One word of the command line: `fairlead NAME …`. */
export interface Command {
  name: string;
  /** One line for the list of commands. */
  summary: string;
  /** What follows `fairlead` on the command line, and what it means; several lines. */
  usage: string;
  /** Gives the exit code. `args` is what stands after the name. */
  run(args: string[], io: CliIo): Promise<number>;
}

/** Exit codes of all commands. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
