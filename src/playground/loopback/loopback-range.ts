import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * The addresses of one loopback playground. Linux lets any process use any address of 127.0.0.0/8, so each playground takes
 * two free /16 of it, at random: pods, nodes and controller in 127.<n>, cluster IPs in 127.<n+1>.
 */
export interface LoopbackRange {
  /** The `<n>`, even. */
  readonly octet: number;
}

const FIRST_OCTET = 64;
const LAST_OCTET = 252;
const MAX_PODS_PER_NODE = 240;
const FIRST_POD_HOST = 2;

/** Throws when every range is in use, which no machine has been seen to do. */
export function chooseRange(used: ReadonlySet<number> = usedOctets()): LoopbackRange {
  const choices = Array.from({ length: (LAST_OCTET - FIRST_OCTET) / 2 + 1 }, (_, i) => FIRST_OCTET + 2 * i);
  const free = choices.filter(octet => !used.has(octet) && !used.has(octet + 1));
  const octet = free[randomInt(Math.max(1, free.length))];
  if (octet === undefined) throw new Error('no two free networks 127.<n>.0.0/16 for the playground');
  return { octet };
}

export function controllerAddress({ octet }: LoopbackRange): string {
  return `127.${octet}.0.10`;
}

/** `number` is 1 for the first node. */
export function nodeAddress({ octet }: LoopbackRange, number: number): string {
  return `127.${octet}.0.${10 + number}`;
}

/** `index` counts the pods ever started on the node, so that an address comes back only after all others. */
export function podAddress({ octet }: LoopbackRange, node: number, index: number): string {
  return `127.${octet}.${node}.${FIRST_POD_HOST + (index % MAX_PODS_PER_NODE)}`;
}

/** `index` counts services from 0. Nothing listens there. */
export function serviceAddress({ octet }: LoopbackRange, index: number): string {
  if (index > 60_000) throw new Error('the playground has addresses for 60,000 services');
  const number = index + 10;
  return `127.${octet + 1}.${number >> 8}.${number & 255}`;
}

/** Second octets of the 127/8 addresses that sockets of this machine use. */
function usedOctets(): Set<number> {
  return parseUsedOctets(readFileSync('/proc/net/tcp', 'utf8'));
}

/** Of the text of `/proc/net/tcp`, whose addresses are little-endian: 127.1.2.3 is `0302017F`. */
export function parseUsedOctets(table: string): Set<number> {
  const addresses = table.matchAll(/\b[0-9A-F]{4}([0-9A-F]{2})7F:[0-9A-F]{4}\b/g);
  return new Set(Array.from(addresses, ([, hex = '']) => Number.parseInt(hex, 16)));
}
