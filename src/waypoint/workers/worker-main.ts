import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { createNodeEngine } from '#shared/engine/node/node-engine.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { LineSink } from '#shared/observability/line-sink.ts';
import { createLogger, type Logger, LogLevels } from '#shared/observability/logger.ts';
import type { FromWorker, ToWorker, WorkerInit } from './messages.ts';
import { TrafficThread } from './traffic-thread.ts';

/** The program of a worker thread. Throws outside one. */
export function runWorkerThread(): void {
  const init: unknown = workerData;
  if (parentPort === null || !isWorkerInit(init))
    throw new Error('this is the entry of a traffic worker thread');
  runWorker(parentPort, init);
}

/** Both ends are this program: it is enough to tell this use from an accidental one. */
function isWorkerInit(value: unknown): value is WorkerInit {
  return typeof value === 'object' && value !== null && 'settings' in value && 'logFormat' in value;
}

function runWorker(port: MessagePort, init: WorkerInit): void {
  const clock = systemClock;
  const levels = new LogLevels(init.logLevel);
  const logWriter = LineSink.stdout();
  const format = init.logFormat;
  const logger = createLogger({
    scope: 'waypoint',
    levels,
    format,
    writer: logWriter,
    now: () => clock.now(),
  });
  const engine = createNodeEngine({
    clock,
    onAcceptError: error => logger.warn('accept failed', { error: error.message }),
  });
  const { settings } = init;
  const thread = new TrafficThread({
    engine,
    clock,
    random: Math.random,
    settings,
    logger,
    logFormat: format,
    logWriter,
  });
  const reply = (message: FromWorker): void => port.postMessage(message);
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'log_level') levels.set(message.level, message.scope);
    else obey(thread, message, reply, logger);
  });
  reply({ kind: 'ready' });
}

function obey(
  thread: TrafficThread,
  message: ToWorker,
  reply: (message: FromWorker) => void,
  logger: Logger,
): void {
  switch (message.kind) {
    case 'delta':
      thread.apply(message.delta);
      reply({ kind: 'applied' });
      return;
    case 'certificate':
      try {
        thread.setCertificate(message.material);
      } catch (error) {
        logger.error('certificate not usable, the last one stays', { error: messageOf(error) });
      }
      return;
    case 'listen':
      void answer(message.id, thread.listen(), reply);
      return;
    case 'metrics':
      reply({ kind: 'metrics', id: message.id, families: thread.metrics() });
      return;
    case 'dump':
      reply({ kind: 'dump', id: message.id, dump: thread.dump() });
      return;
    case 'drain':
      void answer(message.id, thread.drain(message.deadlineMs), reply);
      return;
    case 'log_level':
      return;
  }
}

async function answer(
  id: number,
  work: Promise<unknown>,
  reply: (message: FromWorker) => void,
): Promise<void> {
  try {
    await work;
    reply({ kind: 'done', id, error: undefined });
  } catch (error) {
    reply({ kind: 'done', id, error: messageOf(error) });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
