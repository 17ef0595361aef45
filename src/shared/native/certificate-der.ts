import { NativeMemory } from './native-memory.ts';
import { openssl } from './openssl.ts';

/** A certificate of more is not one of a mesh. */
const MAX_CERTIFICATE_BYTES = 64 * 1024;

interface DerMemory {
  readonly der: NativeMemory;
  readonly cursor: NativeMemory;
}

let memory: DerMemory | undefined;

/**
 * DER of an X509, in memory of the thread: valid until the next call. Throws where it is none or too long. i2d_X509(3), which
 * first tells the length and then writes at the address it is pointed to.
 */
export function derOf(certificate: bigint): Buffer {
  memory ??= { der: new NativeMemory(MAX_CERTIFICATE_BYTES), cursor: new NativeMemory(8) };
  const { der, cursor } = memory;
  const length = openssl().i2d_X509(certificate, 0n);
  if (length <= 0 || length > der.size) throw new Error(`a certificate of ${length} bytes`);
  cursor.bytes.writeBigUInt64LE(der.address, 0);
  if (openssl().i2d_X509(certificate, cursor.address) !== length || !der.isIntact)
    throw new Error('a certificate changed its length while it was copied');
  return der.bytes.subarray(0, length);
}
