/** What an operator got wrong or what could not be reached: printed as one line, never with a stack. */
export class CliError extends Error {
  /** 1: it did not work; 2: it was called wrongly. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

/** What was thrown, where an answer can be wrong or not come. @throws it when it is anything else: a fault of ours */
export function cliErrorOf(thrown: unknown): CliError {
  if (thrown instanceof CliError) return thrown;
  throw thrown;
}

/** What failed has been shown already: exit status 1, and nothing more is said. */
export class FailedCheck extends Error {}
