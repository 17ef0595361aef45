import type { TlsMaterial } from '#shared/engine/engine.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { collectGarbageLater } from '#shared/workers/collect-garbage.ts';
import { replyWhenDone, serveMainThread } from '#shared/workers/serve-main-thread.ts';
import { createWorkerEnvironment, workerStart } from '#shared/workers/worker-program.ts';
import type { WaypointProtocol } from './messages.ts';
import type { TrafficSettings } from './settings.ts';
import { TrafficThread } from './traffic-thread.ts';

const { port, init } = workerStart<TrafficSettings>();
const { clock, engine, levels, logger, logWriter, measured } = createWorkerEnvironment('waypoint', init);
const thread = new TrafficThread({
  engine,
  clock,
  random: Math.random,
  settings: init.settings,
  logger,
  logFormat: init.log.format,
  logWriter,
  thread: init.index,
  emit: event => port.postMessage({ kind: 'event', event }),
});
serveMainThread<WaypointProtocol>({
  port,
  levels,
  thread,
  lines: logWriter,
  measured,
  connections: () => thread.dump(),
  obey(message, reply) {
    if (message.kind === 'listen') void replyWhenDone(message.id, thread.listen(), reply);
    else if (message.kind === 'certificate') setCertificate(thread, message.material, logger);
    else if (message.kind === 'keys') thread.setKeys(message);
    else if (message.kind === 'credential') thread.setCredential(message.name, message.credential);
    else if (message.kind === 'host_failed') thread.onHostFailed(message);
    else if (message.kind === 'spans_taken') thread.onSpansTaken();
    else thread.tap(message);
  },
});
collectGarbageLater(clock);

function setCertificate(thread: TrafficThread, material: TlsMaterial, logger: Logger): void {
  try {
    thread.setCertificate(material);
  } catch (error) {
    logger.error('certificate not usable, the last one stays', {
      error: errorMessage(error),
    });
  }
}
