import type { MetricSet } from '../observability/metric-set.ts';
import type { CertificateGauges } from './certificate-status.ts';

/**
 * Gauges of the certificates a proxy holds. Without a label for the identity: a node has as many as service accounts.
 * @returns to be called with the numbers of now, before each scrape
 */
export function createCertificateMetrics(metrics: MetricSet): (gauges: CertificateGauges) => void {
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
  return gauges => {
    identities.value = gauges.identities;
    unavailable.value = gauges.unavailable;
    if (gauges.earliestExpirySeconds === undefined) expiration.remove([]);
    else expiration.cell([]).value = gauges.earliestExpirySeconds;
  };
}
