import { verifyCsr } from '#shared/pki/csr.ts';
import { type CryptoProvider, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { PkiError } from '#shared/pki/pki-error.ts';
import { quoted } from '#shared/spiffe/spiffe-error.ts';
import { isSpiffeId, type SpiffeId, serviceAccountOf, spiffeIdFault } from '#shared/spiffe/spiffe-id.ts';
import { CaError, type CaErrorCode } from './ca-error.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import type { Authentication, Caller } from './token-authenticator.ts';

/** One call of `istio.v1.auth.IstioCertificateService/CreateCertificate`. */
export interface CreateCertificateRequest {
  /** PEM, PKCS#10. */
  readonly csr: string;
  /** 0: the CA's default. */
  readonly validityDurationSeconds: number;
  /** `metadata.fields["ImpersonatedIdentity"]`. */
  readonly impersonatedIdentity?: string;
  /** What the call's token proved (`authenticateBearer`). */
  readonly caller: Authentication;
}

export type CreateCertificateResponse =
  | {
      readonly ok: true;
      readonly identity: SpiffeId;
      readonly certChain: readonly string[];
      readonly notAfterMs: number;
    }
  | {
      readonly ok: false;
      readonly code: CaErrorCode;
      readonly message: string;
      /** For the log only, when the refusal is not the caller's doing. */
      readonly cause?: unknown;
    };

export interface CertificateServiceOptions {
  readonly ca: CertificateAuthority;
  /** True when a pod with this identity runs on the node now. */
  readonly isIdentityOnNode: (identity: SpiffeId, node: string) => boolean;
  readonly provider?: CryptoProvider;
}

type Permission =
  | { readonly ok: true; readonly identity: SpiffeId }
  | { readonly ok: false; readonly code: CaErrorCode; readonly message: string };

/** Decides, checks the CSR and signs. Never rejects: what goes wrong is an answer with a gRPC status. */
export async function createCertificate(
  options: CertificateServiceOptions,
  request: CreateCertificateRequest,
): Promise<CreateCertificateResponse> {
  const { ca, isIdentityOnNode, provider = softwareProvider } = options;
  const { validityDurationSeconds: seconds } = request;
  if (!request.caller.ok) return refuse('UNAUTHENTICATED', `token refused: ${request.caller.reason}`);
  const asking = describe(request.caller.caller);
  if (!Number.isSafeInteger(seconds) || seconds < 0) {
    return refuse('INVALID_ARGUMENT', `${asking}: validity_duration of ${seconds} s`);
  }
  const permission = permittedIdentity(
    request.caller.caller,
    request.impersonatedIdentity,
    ca,
    isIdentityOnNode,
  );
  if (!permission.ok) return permission;
  const { identity } = permission;
  try {
    const { publicKeySpki } = await verifyCsr(provider, request.csr, identity);
    return { ok: true, identity, ...(await ca.issue(identity, publicKeySpki, seconds * 1000)) };
  } catch (error) {
    if (error instanceof PkiError)
      return refuse('INVALID_ARGUMENT', `${asking} asked for ${identity}: ${error.message}`);
    if (error instanceof CaError) return refuse(error.code, `${asking}: ${error.message}`);
    // The cause is for the operator; a stranger learns nothing of the CA's files or device.
    const message = `${asking} asked for ${identity}: the CA cannot sign now, see the controller’s log`;
    return { ok: false, code: 'UNAVAILABLE', message, cause: error };
  }
}

/** Which identity the caller gets: its own, or (a node proxy) one of a pod on its node. Pure but for the callback. */
function permittedIdentity(
  caller: Caller,
  impersonated: string | undefined,
  ca: Pick<CertificateAuthority, 'trustDomain'>,
  isIdentityOnNode: CertificateServiceOptions['isIdentityOnNode'],
): Permission {
  const asking = describe(caller);
  const identity = impersonated === undefined || impersonated === '' ? caller.identity : impersonated;
  if (!isSpiffeId(identity)) {
    return refuse('INVALID_ARGUMENT', `${asking} asked for ${quoted(identity)}: ${spiffeIdFault(identity)}`);
  }
  if (serviceAccountOf(identity).trustDomain !== ca.trustDomain) {
    return refuse(
      'PERMISSION_DENIED',
      `${asking} asked for ${identity}: this CA signs for ${ca.trustDomain} only`,
    );
  }
  if (identity === caller.identity) return { ok: true, identity };
  if (caller.kind === 'workload') {
    return refuse(
      'PERMISSION_DENIED',
      `${asking} asked for ${identity}: a workload gets its own identity only`,
    );
  }
  if (isIdentityOnNode(identity, caller.node)) return { ok: true, identity };
  return refuse(
    'PERMISSION_DENIED',
    `${asking} asked for ${identity}: no pod with it runs on node ${caller.node}`,
  );
}

function describe(caller: Caller): string {
  return caller.kind === 'node' ? `${caller.identity} of node ${caller.node}` : caller.identity;
}

function refuse(code: CaErrorCode, message: string): { ok: false; code: CaErrorCode; message: string } {
  return { ok: false, code, message };
}
