import { errorMessage } from '#shared/observability/error-message.ts';
import { singleLine } from '../single-line.ts';

/** What the runtime's TLS says of a certificate that it does not take. */
const UNTRUSTED =
  /^(?:ERR_TLS_CERT_ALTNAME_INVALID|CERT_.*|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT.*)$/;

/**
 * Why there was no answer of an API server, in one line. What failed before anything was sent is told as that: who looks
 * for a cluster that is down does not find the credential plugin that is missing here.
 */
export function connectionFailure(server: string, thrown: unknown): string {
  // What the client wraps it in names the request, of which the operator knows nothing.
  const error = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const { code, path, syscall } = fieldsOf(error);
  const said = singleLine(errorMessage(error));
  if (syscall.startsWith('spawn'))
    return `the credential plugin ${path || syscall.replace(/^spawn ?/, '')} of the kubeconfig cannot be started: ${code}; install it, or put it on PATH`;
  if (syscall === 'open' || syscall === 'read')
    return `${path || 'a file'} that the kubeconfig names cannot be read: ${code}`;
  if (UNTRUSTED.test(code))
    return `who answers at ${server} is not trusted: ${said}; is this the right context, and certificate-authority the one of that cluster?`;
  return `cannot reach the API server ${server}: ${said}; is the cluster up, and is this the right context?`;
}

function fieldsOf(error: unknown): {
  readonly code: string;
  readonly path: string;
  readonly syscall: string;
} {
  const field = (name: 'code' | 'path' | 'syscall'): string => {
    if (typeof error !== 'object' || error === null || !(name in error)) return '';
    const value: unknown = Reflect.get(error, name);
    return typeof value === 'string' ? value : '';
  };
  return { code: field('code'), path: field('path'), syscall: field('syscall') };
}
