import { KubeClient, type KubeApi } from '#shared/kube/client.ts';
import type { KubeConnection } from '#shared/kube/connection.ts';
import { defaultConnection } from '#shared/kube/kubeconfig.ts';
import { VERSION } from '#shared/config/version.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { type Authority, openAuthority } from './authority.ts';
import { createTokenReviewer } from './ca/token-review.ts';
import type { TokenAuthenticator } from './ca/token-authenticator.ts';
import type { ControllerConfig } from './config.ts';
import type { ClusterConfig } from './config/source-config.ts';
import { openClusterAuthority } from './kube/cluster-authority.ts';
import { LeaderElection } from './kube/leader-election.ts';
import { type Leadership, SoleLeader } from './kube/leadership.ts';
import { RootBundlePublisher } from './kube/root-bundle.ts';
import { DirectorySource } from './source/directory.ts';
import { KubernetesSource } from './source/kubernetes/kubernetes-source.ts';
import type { ObjectSource } from './source/object-source.ts';
import { NodeTaints } from './taint/node-taints.ts';

/** What differs between a machine and a cluster. */
export interface Platform {
  readonly authority: Authority;
  readonly source: ObjectSource;
  /** What a start of the source waits for. */
  readonly waitingFor: () => readonly string[];
  /** Ways to check a caller's token, the cheapest first. */
  readonly authenticators: readonly TokenAuthenticator[];
  readonly leadership: Leadership;
  /** Of the cluster; undefined where there is none. */
  readonly api: KubeApi | undefined;
  /** Takes part in the election. */
  readonly startLeading: () => void;
  /** Hands the leadership over, and ends everything else. */
  readonly stop: () => Promise<void>;
}

export interface PlatformOptions {
  readonly config: ControllerConfig;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly faults: StandingFaults;
  /** Undefined: that of the pod, or of the kubeconfig. */
  readonly connection: KubeConnection | undefined;
  /** A list or watch of a kind broke off; it is tried again. */
  readonly onWatchError: (kind: string) => void;
}

/** Label of the pods of ztunnel's DaemonSet. */
const ZTUNNEL_PODS = 'app.kubernetes.io/name=ztunnel';
export const LEASE_NAME = 'ambient-controller-leader';

/** Rejects when the CA cannot be used, and with what is missing to reach a cluster. */
export function openPlatform(options: PlatformOptions): Promise<Platform> {
  const { source } = options.config;
  return source.kind === 'directory' ? openMachine(options, source.path) : openCluster(options, source);
}

async function openMachine(
  { clock, config, faults, logger }: PlatformOptions,
  path: string,
): Promise<Platform> {
  const authority = await openAuthority(config.ca, clock, logger.child('ca'), faults);
  const leadership = new SoleLeader();
  return {
    authority,
    source: new DirectorySource({ path, clock, logger: logger.child('source') }),
    waitingFor: () => [],
    authenticators: [authority.tokens],
    leadership,
    api: undefined,
    startLeading: () => undefined,
    stop: async () => {
      await leadership.stop();
      authority.stop();
    },
  };
}

async function openCluster(options: PlatformOptions, cluster: ClusterConfig): Promise<Platform> {
  const { clock, config, faults, logger, random } = options;
  const connection = options.connection ?? (await defaultConnection(process.env, clock));
  const api = new KubeClient(connection, clock, `ambient-mesh-controller/${VERSION}`);
  const shared = { api, clock, random };
  const { trustDomain } = config.ca;
  const authority = await openClusterAuthority({
    ...shared,
    ca: config.ca,
    cluster,
    logger: logger.child('ca'),
    faults,
  });
  const source = new KubernetesSource({
    ...shared,
    logger: logger.child('source'),
    tlsSecrets: cluster.tlsSecrets,
    onWatchError: options.onWatchError,
  });
  const election = new LeaderElection({
    ...shared,
    logger: logger.child('leader'),
    namespace: cluster.namespace,
    name: LEASE_NAME,
    me: cluster.replica,
  });
  election.add(new RootBundlePublisher({ ...shared, ca: authority.ca, logger: logger.child('roots') }));
  if (cluster.nodeTaint) {
    const { namespace } = cluster;
    const labelSelector = ZTUNNEL_PODS;
    election.add(new NodeTaints({ ...shared, namespace, labelSelector, logger: logger.child('taints') }));
  }
  const { nodeAccounts, tokenAudience: audience } = cluster;
  const reviewer = createTokenReviewer({ api, clock, trustDomain, audience, nodeAccounts });
  return {
    authority,
    source,
    waitingFor: () => source.waitingFor(),
    authenticators: [authority.tokens, reviewer],
    leadership: election,
    api,
    startLeading: () => election.start(),
    stop: async () => {
      await election.stop();
      authority.stop();
    },
  };
}
