import { fileURLToPath } from 'node:url';
import { stateDir } from '#shared/config/state-dir.ts';
import { Playground } from './playground.ts';

/**
 * The process that holds a playground for `ambientctl playground up`: tells its parent how far it is, then runs until
 * SIGTERM. Its arguments are manifests, relative to the repository.
 */
const NODES = ['node-a', 'node-b'];

function tell(kind: 'report' | 'ready' | 'failed', line = ''): void {
  if (line !== '') console.log(line);
  if (process.connected) process.send?.({ kind, line });
}

function disconnect(): void {
  if (process.connected) process.disconnect?.();
}

const playgroundOptions = {
  stateDir: stateDir(process.env, process.getuid?.() ?? 0),
  repository: fileURLToPath(new URL('../..', import.meta.url)),
  nodes: NODES,
  report: (line: string) => tell('report', line),
};

try {
  const playground = await Playground.up(playgroundOptions);
  // Before the manifests: Ctrl-C while they settle must clean up as well.
  const end = (): void => void playground.down().then(() => process.exit(0));
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  process.once('SIGHUP', end);
  try {
    for (const manifest of process.argv.slice(2)) await playground.apply(manifest);
    await playground.settled();
  } catch (error) {
    await playground.down();
    throw error;
  }
  tell('ready');
  disconnect();
} catch (error) {
  tell('failed', error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
  disconnect();
}
