import type { MetricSet } from '#shared/observability/metric-set.ts';
import type { CaErrorCode } from './ca-error.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { firstToEnd } from './chain-expiry.ts';
import type { CreateCertificateResponse } from './service.ts';

/** What the controller counts of certificates. Names are those of Istio's CA, where it has one. */
export interface CaMetrics {
  onResponse(response: CreateCertificateResponse): void;
  /** Before a scrape. */
  update(ca: Pick<CertificateAuthority, 'chain' | 'trust'>): void;
}

const REFUSALS: readonly CaErrorCode[] = [
  'INVALID_ARGUMENT',
  'PERMISSION_DENIED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'UNAVAILABLE',
];

export function createCaMetrics(metrics: MetricSet): CaMetrics {
  const counter = (name: string, help: string) => metrics.counter({ name, help, labels: [] }).cell([]);
  const asked = counter('citadel_server_csr_count', 'Certificates asked for.');
  const issued = counter('citadel_server_success_cert_issuance_count', 'Certificates issued.');
  const unauthenticated = counter(
    'citadel_server_authentication_failure_count',
    'Certificates refused because the caller could not be authenticated.',
  );
  const refused = metrics.counter({
    name: 'citadel_server_csr_sign_err_count',
    help: 'Certificates refused for another reason, by gRPC status.',
    labels: ['error'],
  });
  for (const code of REFUSALS) refused.cell([code]);
  const rootExpiry = metrics
    .gauge({
      name: 'citadel_server_root_cert_expiry_timestamp',
      help: 'When the root ends that ends first, in seconds since 1970.',
      labels: [],
    })
    .cell([]);
  const chainExpiry = metrics
    .gauge({
      name: 'citadel_server_cert_chain_expiry_timestamp',
      help: 'When the intermediate of the CA ends that ends first, in seconds since 1970; of one that signs with its root, the root.',
      labels: [],
    })
    .cell([]);
  return {
    onResponse(response) {
      asked.value++;
      if (response.ok) issued.value++;
      else if (response.code === 'UNAUTHENTICATED') unauthenticated.value++;
      else refused.cell([response.code]).value++;
    },
    update({ chain, trust }) {
      rootExpiry.value = Math.min(...trust.bundle.roots.map(root => root.notAfterMs)) / 1000;
      const intermediates = chain.length > 1 ? chain.slice(0, -1) : chain;
      chainExpiry.value = (firstToEnd(intermediates)?.notAfterMs ?? 0) / 1000;
    },
  };
}
