import type { CertificateLease, CertificateManager } from '#shared/identity/certificate-manager.ts';
import { formatSpiffeId, type SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import type { EnrolledPod, IdentifiedPod, LeaveReason, PodWorkers } from '../node/enrolment.ts';
import type { LocalPod } from '../node/local-pod.ts';
import type { LocalWorkloadInfo } from '../pod/local-workload.ts';
import type { WorkloadAssignment } from '../workers/messages.ts';
import type { WorkerPool } from '../workers/worker-pool.ts';

export interface PodEnrolmentOptions {
  readonly manager: CertificateManager;
  readonly workers: WorkerPool;
  readonly trustDomain: string;
  /** How long the connections of a pod that opted out may go on. */
  readonly drainMs: number;
}

/** Gives workloads what they need to carry traffic: a certificate, and worker threads that listen. */
export class PodEnrolment implements PodWorkers {
  readonly #options: PodEnrolmentOptions;
  readonly #leases = new Map<string, CertificateLease>();

  constructor(options: PodEnrolmentOptions) {
    this.#options = options;
  }

  async enrol(enrolled: EnrolledPod): Promise<void> {
    const { netnsFd, sockets, pod } = enrolled;
    const toTargets = (fds: readonly number[]): { fd: number }[] => fds.map(fd => ({ fd }));
    await this.assign({
      info: infoOf(pod),
      netnsFd,
      listeners: {
        outbound: toTargets(sockets.outbound),
        inboundPlaintext: toTargets(sockets.inboundPlaintext),
        inboundHbone: toTargets(sockets.inboundHbone),
        socks5: [],
      },
    });
  }

  async identityReady(pod: IdentifiedPod, deadlineMs: number): Promise<void> {
    await this.#options.manager.waitFor(this.#identityOf(pod), deadlineMs);
  }

  hasIdentities(): boolean {
    const { identities, unavailable } = this.#options.manager.gauges();
    return identities > unavailable;
  }

  /**
   * The certificate is fetched meanwhile and not waited for: without the CA the pod still starts, and what needs an
   * identity is refused with that reason. Rejects when the identity is not valid or no worker can listen.
   */
  async assign(assignment: WorkloadAssignment): Promise<void> {
    const { info } = assignment;
    const { manager, workers } = this.#options;
    const before = this.#leases.get(info.uid);
    this.#leases.set(info.uid, manager.retain(this.#identityOf(info)));
    before?.release();
    try {
      await workers.enrol(assignment);
    } catch (error) {
      this.#release(info.uid);
      throw error;
    }
  }

  update(enrolled: EnrolledPod): void {
    this.#options.workers.update(infoOf(enrolled.pod));
  }

  async leave(enrolled: EnrolledPod, reason: LeaveReason): Promise<void> {
    const { uid } = enrolled.pod;
    await this.#options.workers.leave(uid, reason === 'opted_out' ? this.#options.drainMs : 0);
    this.#release(uid);
  }

  #identityOf({ namespace, serviceAccount }: Pick<LocalPod, 'namespace' | 'serviceAccount'>): SpiffeId {
    const trustDomain = parseTrustDomain(this.#options.trustDomain);
    return formatSpiffeId({ trustDomain, namespace, serviceAccount });
  }

  #release(uid: string): void {
    this.#leases.get(uid)?.release();
    this.#leases.delete(uid);
  }
}

function infoOf(pod: LocalPod): LocalWorkloadInfo {
  const { uid, name, namespace, serviceAccount, ips } = pod;
  return { uid, name, namespace, serviceAccount, ips };
}
