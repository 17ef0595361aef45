import { NativeMemory } from './native-memory.ts';

/**
 * The server's first choice that the client offers, as the offset of its name in the client's list (length byte, name,
 * and so on; RFC 7301 §3.1); undefined when there is none or the list is malformed.
 */
export function chooseProtocol(offered: Uint8Array, ours: readonly string[]): number | undefined {
  for (let i = 0; i < offered.length; i += 1 + (offered[i] ?? 0))
    if (offered[i] === 0 || i + (offered[i] ?? 0) >= offered.length) return undefined;
  for (const name of ours) {
    const at = offsetOf(name, offered);
    if (at > 0) return at;
  }
  return undefined;
}

/** In a list that is well-formed; 0 when it is not there. */
function offsetOf(name: string, offered: Uint8Array): number {
  for (let i = 0; i < offered.length; i += 1 + (offered[i] ?? 0))
    if (offered[i] === name.length && startsAt(name, offered, i + 1)) return i + 1;
  return 0;
}

function startsAt(name: string, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name.charCodeAt(i)) return false;
  return true;
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
