/** What wants addresses: a host of an entry. */
export interface AddressWish {
  /** `<namespace>/<name>/<host>`. */
  readonly key: string;
  /** RFC 3339 in UTC. */
  readonly creationTimestamp: string;
}

/** Hosts of 240.240.0.0/16 without its first and last address; 2001:2::/48 has as many under the same numbers. */
const SLOTS = 65_534;

/**
 * Addresses of the mesh's own for hosts that have none, so that clients have something to dial. The number comes from the
 * host's key, so every replica gives the same; where two keys meet, the older entry keeps it and the younger takes the
 * next that is free.
 */
export function allocateAddresses(wishes: readonly AddressWish[]): ReadonlyMap<string, readonly string[]> {
  const taken = new Set<number>();
  const allocated = new Map<string, readonly string[]>();
  const ordered = wishes.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  for (const { key } of ordered) {
    if (taken.size >= SLOTS) break;
    let slot = hash(key) % SLOTS;
    while (taken.has(slot)) slot = (slot + 1) % SLOTS;
    taken.add(slot);
    const number = slot + 1;
    allocated.set(key, [`240.240.${number >> 8}.${number & 0xff}`, `2001:2::${number.toString(16)}`]);
  }
  return allocated;
}

function sortKey({ creationTimestamp, key }: AddressWish): string {
  return `${creationTimestamp} ${key}`;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}
