import type { MessagePort } from 'node:worker_threads';
import type { ListenTarget } from '#shared/engine/engine.ts';
import { createNodeEngine } from '#shared/engine/node/node-engine.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { dupFd } from '#shared/native/socket.ts';
import { LineSink } from '#shared/observability/line-sink.ts';
import { createLogger, LogLevels } from '#shared/observability/logger.ts';
import { collectGarbageLater } from '../collect-garbage.ts';
import { originalDestination } from '../redirect/original-dst.ts';
import type { FromWorker, PodAssignment, ToWorker, WorkerInit } from './messages.ts';
import { TrafficThread } from './traffic-thread.ts';

/** Runs a traffic thread behind a message port, until the port closes or a drain has ended. */
export function runWorker(port: MessagePort, init: WorkerInit): void {
  const levels = new LogLevels(init.log.level);
  for (const [scope, level] of Object.entries(init.log.scopes)) levels.set(level, scope);
  const clock = systemClock;
  const logWriter = LineSink.stdout();
  const logger = createLogger({
    scope: 'ztunnel',
    levels,
    format: init.log.format,
    writer: logWriter,
    now: () => clock.now(),
  });
  const thread = new TrafficThread({
    engine: createNodeEngine({
      clock,
      onAcceptError: error => logger.warn('accept failed', { error: error.message }),
    }),
    clock,
    random: Math.random,
    settings: init.settings,
    logger,
    logFormat: init.log.format,
    logWriter,
    originalDestination: channel => originalDestination(channel.fd, channel.localAddress),
  });
  const reply = (message: FromWorker): void => port.postMessage(message);
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'log_level') levels.set(message.level, message.scope);
    else obey(thread, message, reply);
  });
  reply({ kind: 'ready' });
  collectGarbageLater(clock);
}

function obey(thread: TrafficThread, message: ToWorker, reply: (message: FromWorker) => void): void {
  switch (message.kind) {
    case 'delta':
      thread.apply(message.delta);
      reply({ kind: 'applied' });
      return;
    case 'certificate':
      thread.setCertificate(message.identity, message.material);
      return;
    case 'certificate_removed':
      thread.removeCertificate(message.identity);
      return;
    case 'enrol':
      void answer(message.id, enrol(thread, message.pod), reply);
      return;
    case 'update':
      thread.update(message.info);
      return;
    case 'leave':
      void answer(message.id, thread.leave(message.podUid, message.drainMs), reply);
      return;
    case 'metrics':
      reply({ kind: 'metrics', id: message.id, families: thread.metrics() });
      return;
    case 'connections':
      reply({ kind: 'connections', id: message.id, connections: thread.dumpConnections() });
      return;
    case 'drain':
      void answer(message.id, thread.drain(message.deadlineMs), reply);
      return;
    case 'log_level':
      return;
  }
}

/** The descriptors that come in belong to the main thread: this thread has its own of each. */
async function enrol(thread: TrafficThread, pod: PodAssignment): Promise<void> {
  const { outbound, inboundPlaintext, inboundHbone, socks5 } = pod.listeners;
  const listeners = {
    outbound: ownTargets(outbound),
    inboundPlaintext: ownTargets(inboundPlaintext),
    inboundHbone: ownTargets(inboundHbone),
    socks5: ownTargets(socks5),
  };
  // The agent closes its own when the process drains, while connections here still dial from the pod.
  const netnsFd = pod.netnsFd === undefined ? undefined : dupFd(pod.netnsFd);
  await thread.enrol({ ...pod, netnsFd, listeners });
}

function ownTargets(targets: readonly ListenTarget[]): ListenTarget[] {
  return targets.map(target => ('fd' in target ? { fd: dupFd(target.fd) } : target));
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
    reply({ kind: 'done', id, error: error instanceof Error ? error.message : String(error) });
  }
}
