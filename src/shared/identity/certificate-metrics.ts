import type { MetricSet } from '../observability/metric-set.ts';
import type { CertificateGauges } from './certificate-status.ts';

/** What a proxy measures of the certificates it holds. */
export interface CertificateMetrics {
  /** One could not be had; it is tried again. */
  onFailure(): void;
  /** With the numbers of now, before each scrape. */
  update(gauges: CertificateGauges): void;
}

/** Without a label for the identity: a node has as many as service accounts. */
export function createCertificateMetrics(metrics: MetricSet): CertificateMetrics {
  const gauge = (name: string, help: string) => metrics.gauge({ name, help, labels: [] });
  const identities = gauge('ambient_identities', 'Identities that certificates are kept for.').cell([]);
  const unavailable = gauge(
    'ambient_identities_without_certificate',
    'Identities that have no certificate that is valid now.',
  ).cell([]);
  const expiration = gauge(
    'ambient_identity_cert_expiration_timestamp_seconds',
    'When the certificate that ends first ends, in seconds since 1970; absent while there is none.',
  );
  const failures = metrics
    .counter({
      name: 'ambient_certificate_failures_total',
      help: 'Certificates that were asked for and not had; each is tried again, while the one before is good.',
      labels: [],
    })
    .cell([]);
  return {
    onFailure: () => void failures.value++,
    update(gauges) {
      identities.value = gauges.identities;
      unavailable.value = gauges.unavailable;
      if (gauges.earliestExpirySeconds === undefined) expiration.remove([]);
      else expiration.cell([]).value = gauges.earliestExpirySeconds;
    },
  };
}
