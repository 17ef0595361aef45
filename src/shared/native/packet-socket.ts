import { constants } from 'node:os';
import { checked, lastErrno, libc, libcConverted } from './libc.ts';
import { NativeMemory } from './native-memory.ts';
import { AddressFamily, linuxAbi, MSG_DONTWAIT, SocketType } from './platform.ts';
import { closeFd, setIntOption } from './socket.ts';
import { SystemCallError } from './system-error.ts';

/** include/uapi/linux/if_ether.h; in network order in the socket call and the address. */
const ETH_P_ALL = 0x0003;
/** Larger than any packet, those that the kernel has not yet split into segments included. */
const MAX_PACKET_BYTES = 256 * 1024;
/** Held by the kernel between two reads; the kernel doubles it, and caps it at net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;

const { EAGAIN, EINTR } = constants.errno;

/**
 * Sees every frame that passes one interface, both ways, from the link header on. packet(7)
 * Opened in the calling thread's namespace; needs CAP_NET_RAW there.
 */
export class PacketSocket {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(MAX_PACKET_BYTES);

  /** Throws when there is no such interface, or without the capability. */
  constructor(interfaceName: string) {
    const type = SocketType.raw | SocketType.nonblock | SocketType.cloexec;
    const purpose = `watch the packets of ${interfaceName}`;
    this.#fd = checked(libc().socket(AddressFamily.packet, type, swap16(ETH_P_ALL)), 'socket', purpose);
    try {
      setIntOption(this.#fd, 'receiveBuffer', RECEIVE_BUFFER_BYTES);
      const address = encodeLinkAddress(interfaceIndex(interfaceName, purpose));
      checked(libc().bind(this.#fd, address.address, address.size), 'bind', purpose);
    } catch (cause) {
      closeFd(this.#fd);
      throw cause;
    }
  }

  /** The next frame, valid until the next call; undefined when none is waiting. */
  read(): Buffer | undefined {
    const length = libcConverted().recv(this.#fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT);
    if (length >= 0) return this.#buffer.subarray(0, length);
    const errno = lastErrno();
    if (errno === EAGAIN || errno === EINTR) return undefined;
    throw new SystemCallError('recv', errno, 'read packets');
  }

  close(): void {
    closeFd(this.#fd);
  }
}

/** `struct sockaddr_ll`: family in host order, protocol in network order, interface index; the rest is for sending. */
function encodeLinkAddress(index: number): NativeMemory {
  const memory = new NativeMemory(linuxAbi().sockaddrLlBytes);
  const { bytes } = memory;
  bytes.fill(0);
  bytes.writeUInt16LE(AddressFamily.packet, 0);
  bytes.writeUInt16BE(ETH_P_ALL, 2);
  bytes.writeInt32LE(index, 4);
  return memory;
}

/** if_nametoindex(3) */
function interfaceIndex(name: string, purpose: string): number {
  const index = libcConverted().if_nametoindex(name);
  if (index === 0) throw new SystemCallError('if_nametoindex', lastErrno(), purpose);
  return index;
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}
