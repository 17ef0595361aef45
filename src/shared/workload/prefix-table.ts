import { makeCidr, maskBytes } from './cidr.ts';
import { ipFromBytes, parseIp } from './ip.ts';

/**
 * Longest-prefix match from address to values, by one hash probe for each prefix length in use (a handful in practice).
 * Several values may share a prefix; the first in `compare` order is found.
 */
export class PrefixTable<V> {
  readonly #compare: (a: V, b: V) => number;
  readonly #byPrefix = new Map<string, V[]>();
  /** Prefix lengths in use, longest first, and how many prefixes have each. Key: address bytes. */
  readonly #lengths = new Map<number, { length: number; prefixes: number }[]>();

  constructor(compare: (a: V, b: V) => number) {
    this.#compare = compare;
  }

  /** An address and length that form no range are ignored: there is nothing they could match. */
  add(ip: string, prefixLength: number, value: V): void {
    const cidr = makeCidr(ip, prefixLength);
    if (cidr === undefined) return;
    const key = prefixKey(cidr.bytes, cidr.prefixLength);
    const values = this.#byPrefix.get(key);
    if (values !== undefined) {
      values.push(value);
      values.sort(this.#compare);
      return;
    }
    this.#byPrefix.set(key, [value]);
    this.#countLength(cidr.bytes.length, cidr.prefixLength, 1);
  }

  remove(ip: string, prefixLength: number, value: V): void {
    const cidr = makeCidr(ip, prefixLength);
    if (cidr === undefined) return;
    const key = prefixKey(cidr.bytes, cidr.prefixLength);
    const values = this.#byPrefix.get(key);
    const index = values?.indexOf(value) ?? -1;
    if (values === undefined || index < 0) return;
    values.splice(index, 1);
    if (values.length > 0) return;
    this.#byPrefix.delete(key);
    this.#countLength(cidr.bytes.length, cidr.prefixLength, -1);
  }

  /** @param choose of the values of one prefix; where it takes none, a shorter one is looked for */
  find(ip: string, choose: (values: readonly V[]) => V | undefined): V | undefined {
    if (this.#byPrefix.size === 0) return undefined;
    const bytes = parseIp(ip);
    if (bytes === undefined) return undefined;
    for (const { length } of this.#lengths.get(bytes.length) ?? []) {
      const values = this.#byPrefix.get(prefixKey(maskBytes(bytes, length), length));
      const found = values && choose(values);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #countLength(family: number, length: number, by: number): void {
    const lengths = this.#lengths.get(family) ?? [];
    this.#lengths.set(family, lengths);
    const known = lengths.find(entry => entry.length === length);
    if (known === undefined) {
      lengths.push({ length, prefixes: by });
      lengths.sort((a, b) => b.length - a.length);
      return;
    }
    known.prefixes += by;
    if (known.prefixes === 0) lengths.splice(lengths.indexOf(known), 1);
  }
}

function prefixKey(masked: Uint8Array, length: number): string {
  return `${ipFromBytes(masked)}/${masked.length}/${length}`;
}
