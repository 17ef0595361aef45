import type { LocalPod } from './local-pod.ts';

/** Descriptors of listening sockets in the pod's network namespace, IPv4 first, then IPv6 where the kernel has it. */
export interface PodSockets {
  /** 15001: what the pod's applications dial. Ask `originalDestination` where to. */
  readonly outbound: readonly number[];
  /** 15006: plaintext from outside the mesh. Ask `originalDestination` for the application's port. */
  readonly inboundPlaintext: readonly number[];
  /** 15008: HBONE from other proxies. */
  readonly inboundHbone: readonly number[];
}

/**
 * A captured pod. All descriptors belong to the agent and stay open until `PodWorkers.leave` (or `stop`) has resolved;
 * a worker thread takes its own with `dupFd` and owns those. `netnsFd` is for `openOutgoingSocket`.
 */
export interface EnrolledPod {
  readonly pod: LocalPod;
  readonly netnsFd: number;
  /** Another one at the same pod is another run of it: an enrolment is never carried over. */
  readonly netnsInode: bigint;
  readonly sockets: PodSockets;
}

/** By what a pod is known to others. */
export type IdentifiedPod = Pick<LocalPod, 'name' | 'namespace' | 'serviceAccount'>;

/** Whoever carries the traffic of enrolled pods (the ztunnel's worker threads). */
export interface PodWorkers {
  /**
   * Resolves when every worker accepts on the pod's sockets; only then is traffic redirected. Rejects when none can:
   * the enrolment is undone and tried again.
   */
  enrol(pod: EnrolledPod): Promise<void>;
  /** Resolves when the pod has a certificate to be known by. Rejects after `deadlineMs` with the reason. */
  identityReady(pod: IdentifiedPod, deadlineMs: number): Promise<void>;
  /** Whether any pod has a certificate: whoever issues them answers. */
  hasIdentities(): boolean;
  /**
   * The pod keeps its sockets, but its labels changed. New connections see the new pod, and nothing is interrupted.
   */
  update(pod: EnrolledPod): void;
  /**
   * The pod left the mesh (`reason` 'opted_out': new traffic bypasses the proxy already, live connections may be drained)
   * or is gone ('deleted': nothing to wait for). Resolves when no worker uses any of its descriptors; must not hang.
   */
  leave(pod: EnrolledPod, reason: LeaveReason): Promise<void>;
}

/** Whoever answers the DNS of captured pods. */
export interface PodDnsServer {
  serves(podUid: string): boolean;
  /**
   * Resolves when queries that come to `port` of the pod's loopback are answered; only then are they redirected. Rejects when
   * they cannot be: `SystemCallError`, `EADDRINUSE` when the pod itself uses the port.
   * @param netnsFd stays the caller's
   */
  serve(pod: LocalPod, netnsFd: number, port: number): Promise<void>;
  /** The pod's addresses changed. */
  update(pod: LocalPod): void;
  /** Resolves when nothing of the pod is in use. */
  leave(podUid: string): Promise<void>;
  /** A ztunnel that listens beside this one gets every new query from here on. */
  yield(): void;
}

export type LeaveReason = 'opted_out' | 'deleted' | 'failed';
