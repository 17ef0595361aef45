import { test } from 'tap';
import { MetricSet } from '../observability/metric-set.ts';
import { createCertificateMetrics } from './certificate-metrics.ts';

test('the gauges follow the certificates, and none claims an end that nothing has', t => {
  const metrics = new MetricSet();
  const certificates = createCertificateMetrics(metrics);
  const values = (): Record<string, number | undefined> =>
    Object.fromEntries(metrics.snapshot().map(({ name, series }) => [name, series[0]?.value]));
  certificates.update({ identities: 2, unavailable: 1, earliestExpirySeconds: 1_800_000_000 });
  t.same(values(), {
    ambient_certificate_failures_total: 0,
    ambient_identities: 2,
    ambient_identities_without_certificate: 1,
    ambient_identity_cert_expiration_timestamp_seconds: 1_800_000_000,
  });
  certificates.onFailure();
  certificates.update({ identities: 1, unavailable: 1 });
  t.same(values(), {
    ambient_certificate_failures_total: 1,
    ambient_identities: 1,
    ambient_identities_without_certificate: 1,
    ambient_identity_cert_expiration_timestamp_seconds: undefined,
  });
  t.end();
});
