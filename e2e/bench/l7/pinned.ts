import { availableParallelism } from 'node:os';
import type { Daemon } from '../command.ts';
import type { Namespace } from '../topology.ts';

/** The measured proxy has a processor to itself, everything else has the others: what it can do is not hidden by what the load costs. */
const canPin = availableParallelism() > 1;
const PROXY_CPU = '0';
const OTHER_CPUS = `1-${availableParallelism() - 1}`;

export function startProxy(
  place: Namespace,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Daemon {
  return start(place, PROXY_CPU, command, args, env);
}

export function startBeside(
  place: Namespace,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Daemon {
  return start(place, OTHER_CPUS, command, args, env);
}

export function runBeside(
  place: Namespace,
  command: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  return canPin
    ? place.run('taskset', ['-c', OTHER_CPUS, command, ...args], timeoutMs)
    : place.run(command, args, timeoutMs);
}

/** What goes to the standard output is an access log: the kernel throws it away. */
function start(
  place: Namespace,
  cpus: string,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Daemon {
  return canPin
    ? place.start('taskset', ['-c', cpus, command, ...args], env, 'stderr')
    : place.start(command, args, env, 'stderr');
}
