import type { MessagePort } from 'node:worker_threads';
import type { ListenTarget } from '#shared/engine/engine.ts';
import { dupFd } from '#shared/native/socket.ts';
import { collectGarbageLater } from '#shared/workers/collect-garbage.ts';
import type { OwnToWorker } from '#shared/workers/messages.ts';
import { type Reply, replyWhenDone, serveMainThread } from '#shared/workers/serve-main-thread.ts';
import { createWorkerEnvironment, type StartedWith } from '#shared/workers/worker-program.ts';
import type { TrafficSettings } from '../pod/traffic-context.ts';
import { originalDestination } from '../redirect/original-dst.ts';
import type { PodAssignment, ZtunnelProtocol } from './messages.ts';
import { TrafficThread } from './traffic-thread.ts';

/** Runs a traffic thread behind a message port, until the port closes or a drain has ended. */
export function runWorker(port: MessagePort, init: StartedWith<TrafficSettings>): void {
  const { clock, engine, levels, logger, logWriter, measured } = createWorkerEnvironment('ztunnel', init);
  const thread = new TrafficThread({
    engine,
    clock,
    random: Math.random,
    settings: init.settings,
    index: init.index,
    logger,
    logFormat: init.log.format,
    logWriter,
    originalDestination: channel => originalDestination(channel.fd, channel.localAddress),
  });
  serveMainThread<ZtunnelProtocol>({
    port,
    levels,
    thread,
    lines: logWriter,
    measured,
    connections: () => thread.dumpConnections(),
    obey: (message, reply) => obey(thread, message, reply),
  });
  collectGarbageLater(clock);
}

function obey(
  thread: TrafficThread,
  message: OwnToWorker<ZtunnelProtocol>,
  reply: Reply<ZtunnelProtocol>,
): void {
  switch (message.kind) {
    case 'certificate':
      thread.setCertificate(message.identity, message.material);
      return;
    case 'certificate_removed':
      thread.removeCertificate(message.identity);
      return;
    case 'enrol':
      void replyWhenDone(message.id, enrol(thread, message.pod), reply);
      return;
    case 'mesh_known':
      thread.meshKnown();
      return;
    case 'update':
      thread.update(message.info);
      return;
    case 'leave':
      void replyWhenDone(message.id, thread.leave(message.podUid, message.drainMs), reply);
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
