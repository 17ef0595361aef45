import { CertificateManager } from '#shared/identity/certificate-manager.ts';
import type { CertificateMetrics } from '#shared/identity/certificate-metrics.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { ZtunnelConfig } from '../config.ts';
import { CertificateFeed, type CertificateFeedOptions } from './certificate-feed.ts';
import { requestCertificates } from './control-plane.ts';

export interface KeepCertificatesOptions extends Omit<CertificateFeedOptions, 'manager'> {
  readonly config: ZtunnelConfig;
  readonly clock: Clock;
  readonly metrics: CertificateMetrics;
}

/** Certificates of the workloads of this proxy, with what the last process has left of them. */
export async function keepCertificates(
  options: KeepCertificatesOptions,
): Promise<{ readonly manager: CertificateManager; readonly stop: () => Promise<void> }> {
  const { clock, config, logger, metrics } = options;
  const manager = new CertificateManager({
    clock,
    requestCertificate: await requestCertificates(config, clock),
    ttlMs: config.certificates.ttlMs,
    onFailure: ({ identity, message, retryInMs, notAfterMs }) => {
      metrics.onFailure();
      const validUntil = notAfterMs === undefined ? undefined : new Date(notAfterMs).toISOString();
      logger.warn('certificate not renewed', {
        identity,
        error: message,
        retryInMs: Math.round(retryInMs),
        validUntil,
      });
    },
  });
  const feed = new CertificateFeed({ ...options, manager });
  feed.restore();
  return {
    manager,
    async stop() {
      await feed.stop();
      manager.close();
    },
  };
}
