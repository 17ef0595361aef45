import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PROXIES_FILE } from '#shared/config/state-dir.ts';

/** Where a playground keeps what. Admin sockets have short names: a unix socket's path has at most 107 bytes. */
export interface StateLayout {
  readonly root: string;
  /** The API server: one YAML file an object; the controller watches it. */
  readonly objects: string;
  readonly staging: string;
  readonly proxiesFile: string;
  readonly instanceFile: string;
  /** In loopback mode: where services and the mesh are, for programs of pods. */
  readonly loopbackFile: string;
  podsOf(node: string): string;
  /** Of a pod `<namespace>/<name>`. */
  hostsOf(pod: string): string;
  logOf(process: string): string;
  adminSocketOf(proxy: string): string;
  /** What a proxy keeps over its restarts. */
  dataOf(proxy: string): string;
  tokenOf(proxy: string): string;
}

export function stateLayout(root: string): StateLayout {
  return {
    root,
    objects: join(root, 'objects'),
    staging: join(root, 'staging'),
    proxiesFile: join(root, PROXIES_FILE),
    instanceFile: join(root, 'instance.json'),
    loopbackFile: join(root, 'loopback.json'),
    podsOf: node => join(root, 'pods', node),
    hostsOf: pod => join(root, 'hosts', pod.replace('/', '_')),
    logOf: name => join(root, 'logs', `${name}.log`),
    adminSocketOf: proxy => join(root, 'run', `${proxy}.sock`),
    dataOf: proxy => join(root, 'data', proxy),
    tokenOf: proxy => join(root, 'tokens', proxy),
  };
}

/** Only the owner may look in: join tokens and keys are below. */
export function makeDirectories(layout: StateLayout): void {
  mkdirSync(layout.root, { recursive: true, mode: 0o700 });
  for (const name of ['objects', 'staging', 'pods', 'hosts', 'logs', 'run', 'data', 'tokens']) {
    mkdirSync(join(layout.root, name), { recursive: true, mode: 0o700 });
  }
}
