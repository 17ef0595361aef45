import { constants, fstatSync, openSync } from 'node:fs';

const STDOUT = 1;

/**
 * A descriptor of standard output on which no write waits for who reads it. Container runtimes give a pipe that blocks: a reader
 * that stops would hold up the thread that writes, and with it all that the thread carries.
 */
export function openLogOutput(): number {
  const stats = fstatSync(STDOUT);
  if (stats.isFIFO() || stats.isCharacterDevice()) {
    try {
      // An open file of our own: whoever shares the one we were given (a shell, another program) goes on waiting as it did.
      return openSync(
        `/proc/self/fd/${STDOUT}`,
        constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_APPEND,
      );
    } catch {
      // It belongs to another user, or there is no /proc.
    }
  }
  if (stats.isFile()) return STDOUT;
  // The runtime's own stream makes pipes and sockets non-blocking when it is looked at for the first time.
  void process.stdout;
  return STDOUT;
}
