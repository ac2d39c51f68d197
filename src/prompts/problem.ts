export interface PromptFileErrorOptions extends ErrorOptions {
  /** The name of the partial that is to blame. */
  partial?: string | undefined;
}

/** Why a prompt file cannot be used, and where in it, or in a partial that it calls. */
export class PromptFileError extends Error {
  /** From 1; absent where no line is to blame. */
  readonly line: number | undefined;
  /** Whose line that is, where it is not the prompt's own. */
  readonly partial: string | undefined;
  /** The message without what says where. */
  readonly reason: string;

  constructor(reason: string, line?: number, { partial, ...options }: PromptFileErrorOptions = {}) {
    const where = [
      partial !== undefined && `in the partial '${partial}', `,
      line !== undefined && `line ${line}: `,
    ];
    super(where.filter((part) => part !== false).join('') + reason, options);
    this.line = line;
    this.partial = partial;
    this.reason = reason;
  }
}
