import type { LabNetns } from '#shared/testing/netns-lab.ts';

/** A pod of the lab as `POD_SOURCE_DIR` tells of it. */
export function podFile(name: string, netns: LabNetns, mode: 'ambient' | 'none' = 'ambient'): string {
  return JSON.stringify({
    uid: `uid-${name}`,
    name,
    namespace: 'default',
    serviceAccount: name,
    labels: { 'istio.io/dataplane-mode': mode },
    namespaceLabels: {},
    ips: [netns.ipv4, netns.ipv6],
    netnsPath: netns.path,
    hostNetwork: false,
  });
}

/** Of a ztunnel that captures the pods of a directory and has no controller. */
export function nodeEnvironment(stateDir: string, podSourceDir: string): Record<string, string> {
  return {
    POD_SOURCE_DIR: podSourceDir,
    XDS_ADDRESS: '127.0.0.1:1',
    XDS_ROOT_CA: '/nonexistent',
    TOKEN_PATH: 'off',
    FAKE_CA: 'true',
    STATE_DIR: stateDir,
    ADMIN_ADDR: 'off',
    STATS_ADDR: 'off',
    READINESS_ADDR: 'off',
    ZTUNNEL_WORKER_THREADS: '1',
  };
}
