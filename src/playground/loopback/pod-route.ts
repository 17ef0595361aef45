import type { PodView } from './pod-view.ts';

/** Where a connection of a pod's program goes in place of what it dialled. */
export type PodRoute =
  | { readonly kind: 'direct'; readonly ip: string; readonly port: number }
  | { readonly kind: 'socks5'; readonly host: string; readonly port: number }
  /** A name that the playground does not know: the machine's own resolver is asked. */
  | { readonly kind: 'outside' };

/** A pod has a loopback of its own: in this playground that is the pod's address. */
const OWN_LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1', '0.0.0.0', '::']);
const IP = /^[\d.]+$|:/;

/**
 * Pure. What a pod of the mesh sends to others goes to its ztunnel by SOCKS5, names unresolved. Outside the mesh a cluster IP
 * leads to one of its endpoints, as with kube-proxy; one without endpoints is left as it is, and nothing listens there.
 * `random` is in [0, 1).
 */
export function podRoute(view: PodView, host: string, port: number, random: () => number): PodRoute {
  if (OWN_LOOPBACK.has(host) || host === view.podIp) return { kind: 'direct', ip: view.podIp, port };
  if (view.socks5Port !== undefined) return { kind: 'socks5', host, port };
  const ip = IP.test(host) ? host : view.hosts.get(host.toLowerCase());
  if (ip === undefined) return { kind: 'outside' };
  const endpoints = view.services.get(`${ip}:${port}`) ?? [];
  const endpoint = endpoints[Math.floor(random() * endpoints.length)];
  return endpoint === undefined ? { kind: 'direct', ip, port } : { kind: 'direct', ...endpoint };
}
