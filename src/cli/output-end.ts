/** A shell's status of a program that SIGPIPE has ended. */
const READER_GONE = 141;

/** What of a stream is watched: standard output. */
export interface WatchedOutput {
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/**
 * Ends the process when its output cannot be written: quietly when the reader has gone (`… | head`), as any program of a pipeline does; with a
 * line and status 1 otherwise. Without it the runtime ends the process with a stack.
 */
export function endWithOutput(
  output: WatchedOutput,
  stderr: (text: string) => void,
  exit: (status: number) => void,
): void {
  output.on('error', error => {
    if (error.code === 'EPIPE') {
      exit(READER_GONE);
      return;
    }
    stderr(`ambientctl: standard output cannot be written: ${error.message}\n`);
    exit(1);
  });
}
