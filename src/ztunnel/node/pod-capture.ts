import { yieldToYoungerListener } from '#shared/native/reuse-port-group.ts';
import { closeFd } from '#shared/native/socket.ts';
import { listenInNetns, WITHIN_NAMESPACE } from '#shared/native/socket-factory.ts';
import { type Netns, openNetns } from '#shared/native/netns.ts';
import { SystemCallError } from '#shared/native/system-error.ts';
import type { CaptureOptions, CapturePorts } from '../redirect/capture-rules.ts';
import type { Nft } from '../redirect/nft.ts';
import { Redirection } from '../redirect/redirection.ts';
import type { EnrolledPod, PodSockets } from './enrolment.ts';
import type { LocalPod } from './local-pod.ts';

/** Everything that exists in the kernel for one captured pod. */
export interface PodCapture {
  readonly enrolled: EnrolledPod;
  readonly netns: Netns;
  readonly redirection: Redirection;
}

/**
 * Opens the pod's namespace and makes its listening sockets; nothing is redirected yet.
 * Throws when the namespace is gone or a port is taken; nothing stays open then.
 */
export function openPodCapture(
  pod: LocalPod,
  netnsPath: string,
  options: CaptureOptions,
  nft: Nft,
): PodCapture {
  const netns = openNetns(netnsPath);
  try {
    const sockets = openSockets(netns.fd, options.ports);
    return {
      enrolled: { pod, netnsFd: netns.fd, netnsInode: netns.inode, sockets },
      netns,
      redirection: new Redirection(netns.fd, options, nft),
    };
  } catch (cause) {
    netns.close();
    throw cause;
  }
}

/** Closes every descriptor. Rules stay: without sockets behind them connections are refused, never let through unprotected. */
export function closePodCapture({ enrolled, netns }: PodCapture): void {
  closeSockets(enrolled.sockets);
  netns.close();
}

function openSockets(netnsFd: number, ports: CapturePorts): PodSockets {
  const opened: number[] = [];
  const listen = (port: number, congestionControl?: string): number[] => {
    const fds = listenOrExplain(netnsFd, port, congestionControl);
    opened.push(...fds);
    return fds;
  };
  try {
    return {
      outbound: listen(ports.outbound, WITHIN_NAMESPACE),
      inboundPlaintext: listen(ports.inboundPlaintext),
      inboundHbone: listen(ports.inboundHbone),
    };
  } catch (cause) {
    opened.forEach(closeFd);
    throw cause;
  }
}

function listenOrExplain(netnsFd: number, port: number, congestionControl: string | undefined): number[] {
  try {
    return listenInNetns(netnsFd, port, congestionControl);
  } catch (cause) {
    throw explained(cause, port);
  }
}

/** What a port that is taken means. */
export function explained(cause: unknown, port: number): unknown {
  if (!(cause instanceof SystemCallError) || cause.code !== 'EADDRINUSE') return cause;
  return new Error(`port ${port} is used by the pod itself; the mesh needs it`, { cause });
}

/** New connections go to the ztunnel that listens beside this one, if there is one. Never throws. */
export function yieldSockets(sockets: PodSockets): void {
  allOf(sockets).forEach(yieldToYoungerListener);
}

function closeSockets(sockets: PodSockets): void {
  allOf(sockets).forEach(closeFd);
}

function allOf({ outbound, inboundPlaintext, inboundHbone }: PodSockets): number[] {
  return [...outbound, ...inboundPlaintext, ...inboundHbone];
}
