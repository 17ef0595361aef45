import { accessSync, constants, existsSync, globSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where the cluster's programs are: `KUBE_BINARIES`, else where the script that builds a cluster puts them. */
const BINARIES = process.env['KUBE_BINARIES'] ?? join(homedir(), '.cache/ambient-kube/bin');
/** Gateway API's CRDs: `GATEWAY_API_CRDS`, else from its Go module when that has been fetched. */
const GO_MODULES =
  process.env['GOMODCACHE'] ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'pkg/mod');

export function binaryPath(name: 'etcd' | 'kube-apiserver'): string {
  return join(BINARIES, name);
}

/** Any program that is kept beside them. */
export function kubeProgram(name: string): string {
  return join(BINARIES, name);
}

/** Why no API server can be started here, or false: the `skip` of a test that needs one. */
export function cannotRunApiServer(): string | false {
  for (const name of ['etcd', 'kube-apiserver'] as const) {
    try {
      accessSync(binaryPath(name), constants.X_OK);
    } catch {
      return `needs ${name}: set KUBE_BINARIES to a directory that has it`;
    }
  }
  return false;
}

/** The directory with Gateway API's CRDs (`experimental/`, `standard/`), undefined when there is none. */
export function gatewayApiCrds(): string | undefined {
  const chosen = process.env['GATEWAY_API_CRDS'];
  if (chosen !== undefined) return existsSync(chosen) ? chosen : undefined;
  return globSync(join(GO_MODULES, 'sigs.k8s.io/gateway-api@*/config/crd')).sort().at(-1);
}
