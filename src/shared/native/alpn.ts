import { NativeMemory } from './native-memory.ts';

/**
 * The server's first choice that the client offers, as the offset of its name in the client's list (length byte, name,
 * and so on; RFC 7301 §3.1); undefined when there is none or the list is malformed.
 */
export function chooseProtocol(offered: Uint8Array, ours: readonly string[]): number | undefined {
  const at = new Map<string, number>();
  for (let i = 0; i < offered.length; ) {
    const length = offered[i] ?? 0;
    if (length === 0 || i + 1 + length > offered.length) return undefined;
    at.set(String.fromCharCode(...offered.subarray(i + 1, i + 1 + length)), i + 1);
    i += 1 + length;
  }
  const name = ours.find(candidate => at.has(candidate));
  return name === undefined ? undefined : at.get(name);
}

/** The wire form of a list of protocols: what a client offers. */
export function encodeProtocols(protocols: readonly string[]): Buffer {
  return Buffer.concat(protocols.map(name => Buffer.from([name.length, ...Buffer.from(name, 'latin1')])));
}

const offers = new WeakMap<readonly string[], NativeMemory>();

/** As `encodeProtocols`, kept where OpenSSL can read it: callers use the same few lists again and again. */
export function offerOf(protocols: readonly string[]): NativeMemory {
  const known = offers.get(protocols);
  if (known !== undefined) return known;
  const list = encodeProtocols(protocols);
  const memory = new NativeMemory(list.length);
  memory.bytes.set(list);
  offers.set(protocols, memory);
  return memory;
}
