import type { Environment } from '#shared/config/env-reader.ts';
import { type AdminTarget, parseAdminAddress } from './admin-client.ts';
import { CliError } from './cli-error.ts';
import { ClusterProxies } from './cluster-proxies.ts';
import type { KubeApi } from './cluster/kube-api.ts';
import { kubeconfigFiles } from './cluster/kube-config.ts';
import type { OpenCluster } from './cluster/open-cluster.ts';
import { PlaygroundProxies } from './playground-proxies.ts';

export type ProxyKind = 'ztunnel' | 'waypoint' | 'controller';

export interface ProxyRef {
  readonly name: string;
  readonly kind: ProxyKind;
  /** Name of the pod it runs in, by which workloads and the controller know it; of a playground's waypoint it is not `name`. */
  readonly pod: string;
  readonly node: string;
  readonly namespace: string;
  readonly admin: AdminTarget;
}

/** A mesh whose proxies can be asked: the playground of this machine, or a cluster. */
export interface Proxies {
  /** For messages. */
  readonly origin: string;
  /** Undefined where there is no API server: in a playground. */
  readonly api: KubeApi | undefined;
  /** Every proxy that runs, of all kinds. */
  list(): Promise<readonly ProxyRef[]>;
  /** Lines of a proxy's log, the last `tailLines` first; with `follow` on and on until `signal` is aborted. */
  log(proxy: ProxyRef, options: LogTail, onLine: (line: string) => void, signal: AbortSignal): Promise<void>;
}

export interface LogTail {
  readonly follow: boolean;
  readonly tailLines: number;
}

/** What an operator chose by flags. */
export interface ProxyChoice {
  readonly adminAddress?: string;
  readonly node?: string;
  readonly playground?: boolean;
  readonly stateDir?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

export interface ProxyFinder {
  readonly env: Environment;
  readonly openCluster: OpenCluster;
  /** Whether a playground that keeps its state there runs. */
  readonly isPlaygroundRunning: (dir: string) => boolean;
}

/**
 * What the flags name, else a playground that runs (or that `AMBIENT_STATE_DIR` names), else the cluster of the kubeconfig.
 * @throws CliError when there is neither
 */
export async function openProxies(choice: ProxyChoice, finder: ProxyFinder): Promise<Proxies> {
  const wantsPlayground = choice.playground === true || choice.stateDir !== undefined;
  const wantsCluster = choice.kubeconfig !== undefined || choice.context !== undefined;
  if (wantsPlayground && wantsCluster) {
    throw new CliError(
      '--playground and --state-dir mean a mesh on this machine, --kubeconfig and --context a cluster; give one',
      2,
    );
  }
  const playground = new PlaygroundProxies(choice.stateDir, finder.env);
  const named = (finder.env['AMBIENT_STATE_DIR'] ?? '') !== '';
  if (wantsPlayground || (!wantsCluster && (named || finder.isPlaygroundRunning(playground.dir))))
    return playground;
  if (!wantsCluster && kubeconfigFiles(choice, finder.env).length === 0) {
    throw new CliError(
      `no mesh found: no playground runs in ${playground.dir}, and there is no kubeconfig (KUBECONFIG, ~/.kube/config); start one with "ambientctl playground up", or give --kubeconfig or --admin-address`,
    );
  }
  return new ClusterProxies(await finder.openCluster(choice, finder.env));
}

/** The proxies of the kind the operator chose; never none. */
export async function findProxies(
  kind: ProxyKind,
  choice: ProxyChoice,
  finder: ProxyFinder,
): Promise<ProxyRef[]> {
  if (choice.adminAddress !== undefined) return [atAddress(kind, choice.adminAddress)];
  const proxies = await openProxies(choice, finder);
  const ofKind = (await proxies.list()).filter(p => p.kind === kind);
  const found = ofKind.filter(p => choice.node === undefined || p.node === choice.node);
  if (found.length > 0) return found;
  const nodes = [...new Set(ofKind.map(p => p.node))].sort().join(', ');
  throw new CliError(
    choice.node === undefined || ofKind.length === 0
      ? `no ${kind} is running in ${proxies.origin}`
      : `no ${kind} on node ${JSON.stringify(choice.node)}; nodes: ${nodes}`,
  );
}

/** Every proxy, or the one of `--admin-address`. */
export async function allProxies(choice: ProxyChoice, finder: ProxyFinder): Promise<readonly ProxyRef[]> {
  if (choice.adminAddress !== undefined) return [atAddress('ztunnel', choice.adminAddress)];
  return (await openProxies(choice, finder)).list();
}

function atAddress(kind: ProxyKind, address: string): ProxyRef {
  return { name: address, pod: address, kind, node: '', namespace: '', admin: parseAdminAddress(address) };
}
