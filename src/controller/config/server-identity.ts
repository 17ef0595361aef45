import type { EnvReader } from '#shared/config/env-reader.ts';
import { parseList } from '#shared/config/list.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { formatSpiffeId, type SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import type { TrustDomain } from '#shared/spiffe/trust-domain.ts';

export function readServerNames(env: EnvReader, rootNamespace: string, listenIp: string): readonly string[] {
  const defaults = new Set([
    `istiod.${rootNamespace}.svc`,
    'istiod.istio-system.svc',
    'localhost',
    '127.0.0.1',
  ]);
  const names = env.string(
    'SERVER_NAMES',
    [...defaults].join(','),
    'names and IP addresses of the controller’s certificate, comma-separated',
  );
  const listed = parseList(names);
  const isAny = listenIp === '0.0.0.0' || listenIp === '::';
  return [...new Set(isAny ? listed : [...listed, listenIp])];
}

export function readIdentity(env: EnvReader, trustDomain: TrustDomain, namespace: string): SpiffeId {
  const serviceAccount = env.string('SERVICE_ACCOUNT', 'istiod', 'service account the controller runs as');
  try {
    return formatSpiffeId({ trustDomain, namespace, serviceAccount });
  } catch (error) {
    env.reject('SERVICE_ACCOUNT', errorMessage(error));
    return formatSpiffeId({ trustDomain, namespace: 'istio-system', serviceAccount: 'istiod' });
  }
}
