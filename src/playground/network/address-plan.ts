/**
 * Addresses of the playground. Nothing of it is visible outside its own namespaces, so the plan is fixed:
 * nodes 172.18.0.0/24, control plane 172.18.0.10, pods of node n 10.244.n.0/24 and fd00:10:244:n::/64,
 * services 10.96.0.0/16 and fd00:10:96::/112.
 */
export const MAX_NODES = 16;
const MAX_PODS_PER_NODE = 240;
/** Hosts .0 and .1 (the node's own side of each link) are not for pods. */
const FIRST_POD_HOST = 2;

export interface Addresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

export const CONTROL_PLANE: Addresses = { ipv4: '172.18.0.10', ipv6: 'fd00:18::10' };

/** `number` is 1 for the first node. */
export function nodeAddresses(number: number): Addresses {
  checkNode(number);
  return { ipv4: `172.18.0.${10 + number}`, ipv6: `fd00:18::${10 + number}` };
}

export function podSubnets(node: number): Addresses {
  checkNode(node);
  return { ipv4: `10.244.${node}.0/24`, ipv6: `fd00:10:244:${node}::/64` };
}

/** What a pod has as its default gateway: the node's side of its link. */
export const POD_GATEWAY: Addresses = { ipv4: '169.254.1.1', ipv6: 'fe80::1' };

/** `index` counts the pods ever started on the node, so that an address comes back only after all others. */
export function podAddresses(node: number, index: number): Addresses {
  checkNode(node);
  const host = FIRST_POD_HOST + (index % MAX_PODS_PER_NODE);
  return { ipv4: `10.244.${node}.${host}`, ipv6: `fd00:10:244:${node}::${host.toString(16)}` };
}

export const SERVICE_SUBNETS: Addresses = { ipv4: '10.96.0.0/16', ipv6: 'fd00:10:96::/112' };

/** `index` counts services from 0. */
export function serviceAddresses(index: number): Addresses {
  if (index > 60_000) throw new Error('the playground has addresses for 60,000 services');
  const number = index + 10;
  return { ipv4: `10.96.${number >> 8}.${number & 255}`, ipv6: `fd00:10:96::${number.toString(16)}` };
}

function checkNode(number: number): void {
  if (!Number.isInteger(number) || number < 1 || number > MAX_NODES) {
    throw new Error(`node number ${number}: the playground has nodes 1 to ${MAX_NODES}`);
  }
}
