import { hostname } from 'node:os';
import type { EnvReader } from '#shared/config/env-reader.ts';
import { parseList } from '#shared/config/list.ts';

/** Where objects come from, and with it where the CA is kept and how callers prove who they are. */
export type SourceConfig =
  | { readonly kind: 'directory'; readonly path: string }
  | ({ readonly kind: 'kubernetes' } & ClusterConfig);

export interface ClusterConfig {
  /** In which the CA's Secret and the Lease are. */
  readonly namespace: string;
  /** Unique among the replicas. */
  readonly replica: string;
  /** Secret with the CA we made. */
  readonly caSecret: string;
  /** Secret with a CA the operator brings; used when it is there. */
  readonly pluggedSecret: string;
  /** What a token must be made for. */
  readonly tokenAudience: string;
  /** `<namespace>/<service account>` of node proxies. */
  readonly nodeAccounts: readonly string[];
  /** Nodes whose ztunnel is not ready are tainted. */
  readonly nodeTaint: boolean;
  /** Secrets labelled as credentials of TLS origination are read. */
  readonly tlsSecrets: boolean;
}

export function readSource(env: EnvReader, kind: SourceConfig['kind'], namespace: string): SourceConfig {
  const what = 'directory of YAML files with Kubernetes objects, watched; required with SOURCE=directory';
  const path = env.string('CONFIG_DIR', '', what);
  const cluster: ClusterConfig = {
    namespace,
    replica:
      env.optional('POD_NAME', 'name of this replica, unique among them; default: of host and process') ??
      `${hostname()}-${process.pid}`,
    caSecret: env.string(
      'CA_SECRET',
      'ambient-ca',
      'Secret with the CA of this mesh, made when it is missing',
    ),
    pluggedSecret: env.string(
      'CACERTS_SECRET',
      'cacerts',
      'Secret with a CA of your own, used when it is there at the start: ca-cert.pem, ca-key.pem, root-cert.pem, cert-chain.pem, or tls.crt, tls.key, ca.crt as cert-manager writes them',
    ),
    tokenAudience: env.string('TOKEN_AUDIENCE', 'istio-ca', 'audience that tokens of callers must have'),
    nodeAccounts: parseList(
      env.string(
        'CA_TRUSTED_NODE_ACCOUNTS',
        `${namespace}/ztunnel`,
        'service accounts of node proxies, NAMESPACE/NAME, comma-separated: they get certificates for the pods of their node',
      ),
    ),
    tlsSecrets: env.boolean(
      'TLS_SECRETS',
      false,
      'read Secrets with the label ambient.mesh/tls-credential, of every namespace, for TLS origination',
    ),
    nodeTaint: env.boolean(
      'NODE_TAINT',
      false,
      'taint nodes whose ztunnel is not ready, ambient.mesh/not-ready:NoSchedule',
    ),
  };
  const wrong = cluster.nodeAccounts.find(account => account.split('/').length !== 2);
  if (wrong !== undefined)
    env.reject('CA_TRUSTED_NODE_ACCOUNTS', `${JSON.stringify(wrong)} is not NAMESPACE/NAME`);
  if (kind === 'kubernetes') return { kind, ...cluster };
  if (path === '') env.reject('CONFIG_DIR', `is not set; it is required: ${what}`);
  return { kind, path };
}
