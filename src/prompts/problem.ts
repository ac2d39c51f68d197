/** Why a prompt file cannot be used, and where in it. */
export class PromptFileError extends Error {
  /** From 1; absent where no line is to blame. */
  readonly line: number | undefined;

  constructor(message: string, line?: number, options?: ErrorOptions) {
    super(line === undefined ? message : `line ${line}: ${message}`, options);
    this.line = line;
  }
}
