import { renameSync, writeFileSync } from 'node:fs';
import type { StateLayout } from '../state-layout.ts';

export type ProxyKind = 'ztunnel' | 'waypoint' | 'controller';

/** One proxy in the file by which `ambientctl` finds them. */
export interface ProxyEntry {
  readonly name: string;
  readonly kind: ProxyKind;
  /** Name of the pod it runs in, by which the controller knows it; absent where that is `name`. */
  readonly pod?: string;
  /** Empty for the controller, which is on no node. */
  readonly node: string;
  readonly namespace: string;
  readonly adminSocket: string;
}

export function writeProxiesFile(layout: StateLayout, proxies: readonly ProxyEntry[]): void {
  const staged = `${layout.proxiesFile}.tmp`;
  writeFileSync(staged, `${JSON.stringify({ proxies }, undefined, 2)}\n`);
  renameSync(staged, layout.proxiesFile);
}
