/** What is wrong with an expression, and where. Caught by `parseLogFilter`. */
export class FilterError extends Error {
  constructor(problem: string, at: number) {
    super(`${problem} (at character ${at} of the expression)`);
  }
}
