import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Engine } from '../engine/engine.ts';
import { createNodeEngine } from '../engine/node/node-engine.ts';
import { type Clock, systemClock } from '../lifecycle/clock.ts';
import { LineSink } from '../observability/line-sink.ts';
import { createLogger, type Logger, LogLevels } from '../observability/logger.ts';
import type { LogSetup, WorkerInit } from './messages.ts';

/** The port to the main thread, and what this thread was started with. @throws outside a worker thread */
export function workerStart<Settings>(): { readonly port: MessagePort; readonly init: WorkerInit<Settings> } {
  const init: unknown = workerData;
  if (parentPort === null || !isWorkerInit<Settings>(init))
    throw new Error('this is the entry of a traffic worker thread');
  return { port: parentPort, init };
}

/** Both ends are this program: it is enough to tell this use from an accidental one. */
function isWorkerInit<Settings>(value: unknown): value is WorkerInit<Settings> {
  return typeof value === 'object' && value !== null && 'settings' in value && 'log' in value;
}

/** What a traffic thread runs on. */
export interface WorkerEnvironment {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly levels: LogLevels;
  readonly logger: Logger;
  readonly logWriter: LineSink;
}

/** @param scope of its log lines: the name of the tier */
export function createWorkerEnvironment(scope: string, log: LogSetup): WorkerEnvironment {
  const clock = systemClock;
  const levels = new LogLevels(log.level);
  for (const [name, level] of Object.entries(log.scopes)) levels.set(level, name);
  const logWriter = LineSink.stdout();
  const logger = createLogger({
    scope,
    levels,
    format: log.format,
    writer: logWriter,
    now: () => clock.now(),
  });
  const engine = createNodeEngine({
    clock,
    onAcceptError: error => logger.warn('accept failed', { error: error.message }),
  });
  return { clock, engine, levels, logger, logWriter };
}
