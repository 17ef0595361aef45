import type { Logger } from '#shared/observability/logger.ts';
import { createWorkerEnvironment, replyWhenDone, workerStart } from '#shared/workers/worker-program.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import type { TrafficSettings } from './settings.ts';
import { TrafficThread } from './traffic-thread.ts';

/** The program of a worker thread. Throws outside one. */
export function runWorkerThread(): void {
  const { port, init } = workerStart<TrafficSettings>();
  const { clock, engine, levels, logger, logWriter } = createWorkerEnvironment('waypoint', init.log);
  const thread = new TrafficThread({
    engine,
    clock,
    random: Math.random,
    settings: init.settings,
    logger,
    logFormat: init.log.format,
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
        logger.error('certificate not usable, the last one stays', {
          error: error instanceof Error ? error.message : String(error),
        });
      }
      return;
    case 'listen':
      void replyWhenDone(message.id, thread.listen(), reply);
      return;
    case 'metrics':
      reply({ kind: 'metrics', id: message.id, families: thread.metrics() });
      return;
    case 'connections':
      reply({ kind: 'connections', id: message.id, connections: thread.dump() });
      return;
    case 'drain':
      void replyWhenDone(message.id, thread.drain(message.deadlineMs), reply);
      return;
    case 'log_level':
      return;
  }
}
