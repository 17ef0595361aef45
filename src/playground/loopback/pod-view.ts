import { readFileSync, statSync } from 'node:fs';
import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';

export interface Endpoint {
  readonly ip: string;
  readonly port: number;
}

/** The network as one pod of the loopback playground sees it. */
export interface PodView {
  readonly podIp: string;
  /** Of the pod's own ztunnel, on the pod's address; undefined for a pod outside the mesh. */
  readonly socks5Port: number | undefined;
  /** Host name → address, as `/etc/hosts` of the pod. */
  readonly hosts: ReadonlyMap<string, string>;
  /** `<cluster IP>:<port>` → the endpoints that are ready. */
  readonly services: ReadonlyMap<string, readonly Endpoint[]>;
}

/** Reads a pod's view from the files that the playground keeps, again whenever they change. Throws when one cannot be read. */
export function podViewReader(podIp: string, hostsPath: string, networkPath: string): () => PodView {
  let [stamp, view]: [string, PodView | undefined] = ['', undefined];
  return () => {
    const now = `${stampOf(hostsPath)} ${stampOf(networkPath)}`;
    if (view === undefined || now !== stamp) {
      const network = readFileSync(networkPath, 'utf8');
      view = parsePodView(podIp, readFileSync(hostsPath, 'utf8'), network);
      stamp = now;
    }
    return view;
  };
}

function stampOf(path: string): string {
  const { ino, size, mtimeMs } = statSync(path);
  return `${ino}:${size}:${mtimeMs}`;
}

/** `network` is what `formatLoopbackFile` has written. */
export function parsePodView(podIp: string, hosts: string, network: string): PodView {
  const value = parseJson(network);
  const file = isJsonObject(value) ? value : {};
  const port = child(file, 'socks5')[podIp];
  return {
    podIp,
    socks5Port: typeof port === 'number' ? port : undefined,
    hosts: parseHosts(hosts),
    services: new Map(Object.entries(child(file, 'services')).map(([key, list]) => [key, endpoints(list)])),
  };
}

export function formatLoopbackFile(
  services: ReadonlyMap<string, readonly Endpoint[]>,
  socks5: ReadonlyMap<string, number>,
): string {
  return JSON.stringify({ services: Object.fromEntries(services), socks5: Object.fromEntries(socks5) });
}

function parseHosts(text: string): Map<string, string> {
  const hosts = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [ip = '', ...names] = line.split(' ');
    for (const name of names) if (!hosts.has(name)) hosts.set(name, ip);
  }
  return hosts;
}

function child(object: JsonObject, field: string): JsonObject {
  const value = object[field];
  return isJsonObject(value) ? value : {};
}

function endpoints(list: unknown): Endpoint[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    const { ip, port } = isJsonObject(item) ? item : {};
    return typeof ip === 'string' && typeof port === 'number' ? [{ ip, port }] : [];
  });
}
