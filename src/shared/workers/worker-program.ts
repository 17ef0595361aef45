import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Engine } from '../engine/engine.ts';
import type { ChannelError } from '../engine/channel.ts';
import { FdLedger } from '../engine/fd-ledger.ts';
import { createThreadNativeEngine } from '../engine/native/native-engine.ts';
import { createNodeEngine } from '../engine/node/node-engine.ts';
import { type Clock, systemClock } from '../lifecycle/clock.ts';
import { LineSink } from '../observability/line-sink.ts';
import { createSinkLogger, type Logger, LogLevels } from '../observability/logger.ts';
import type { FamilySnapshot } from '../observability/metric-set.ts';
import type { WorkerInit } from './messages.ts';
import { measureThread } from './thread-metrics.ts';

export type StartedWith<Settings> = WorkerInit<Settings> & OfLink;

/** What the link adds to what a thread is started with. */
interface OfLink {
  /** Where the thread writes down which descriptors it has open. */
  readonly fdLedger: SharedArrayBuffer;
  /** Where the main thread writes its log. */
  readonly logFd: number;
}

/** The port to the main thread, and what this thread was started with. @throws outside a worker thread */
export function workerStart<Settings>(): {
  readonly port: MessagePort;
  readonly init: StartedWith<Settings>;
} {
  const init: unknown = workerData;
  if (parentPort === null || !isWorkerInit<Settings>(init))
    throw new Error('this is the entry of a traffic worker thread');
  return { port: parentPort, init };
}

/** Both ends are this program: it is enough to tell this use from an accidental one. */
function isWorkerInit<Settings>(value: unknown): value is StartedWith<Settings> {
  return typeof value === 'object' && value !== null && 'settings' in value && 'fdLedger' in value;
}

/** What of its start concerns every tier's thread. */
type Start = Pick<WorkerInit<unknown>, 'log' | 'engine'> & OfLink;

/** What a traffic thread runs on. */
export interface WorkerEnvironment {
  readonly clock: Clock;
  readonly engine: Engine;
  readonly levels: LogLevels;
  readonly logger: Logger;
  readonly logWriter: LineSink;
  /** Of what the thread runs on. */
  readonly measured: () => readonly FamilySnapshot[];
}

/** @param scope of its log lines: the name of the tier */
export function createWorkerEnvironment(
  scope: string,
  { engine: name, log, fdLedger, logFd }: Start,
): WorkerEnvironment {
  const levels = new LogLevels(log.level);
  for (const [name, level] of Object.entries(log.scopes)) levels.set(level, name);
  const logWriter = LineSink.ofThread(logFd);
  const logger = createSinkLogger({
    scope,
    levels,
    format: log.format,
    writer: logWriter,
    now: () => systemClock.now(),
  });
  const onAcceptError = (error: ChannelError): void =>
    logger.warn('connection failed', { error: error.message });
  const { clock, engine } =
    name === 'native'
      ? createThreadNativeEngine({ onAcceptError }, new FdLedger(fdLedger))
      : { clock: systemClock, engine: createNodeEngine({ clock: systemClock, onAcceptError }) };
  logWriter.gatherWith(clock);
  return { clock, engine, levels, logger, logWriter, measured: measureThread(engine, logWriter) };
}
