import { callMemory } from './call-memory.ts';
import { libc } from './libc.ts';
import { NativeMemory } from './native-memory.ts';
import { SocketOption } from './platform.ts';
import { setOption } from './stream-socket.ts';

/**
 * Listening sockets of one address and port, of different processes (socket(7), SO_REUSEPORT). The kernel numbers them in
 * the order in which they began to listen, and gives the place of one that closes to the last. While one ztunnel takes
 * over from another there are two: the older is 0, the younger 1.
 */
const YOUNGER = 1;
/** BPF_RET | BPF_K. include/uapi/linux/bpf_common.h */
const RETURN_CONSTANT = 0x06;
const FILTER_BYTES = 8;
/** `struct sock_fprog`: a count of 16 bits, and a pointer at its own alignment. */
const PROGRAM_BYTES = 16;
const POINTER_OFFSET = 8;

let younger: NativeMemory | undefined;

/**
 * From here on the kernel gives every new connection to the socket that began to listen after this one. Alone in its group
 * the socket goes on as before: the kernel does not heed a choice that is not there. Handshakes that have begun with this
 * socket end with it. Best effort: on failure the sockets share what is new, as they did. SO_ATTACH_REUSEPORT_CBPF
 */
export function yieldToYoungerListener(fd: number): void {
  younger ??= returning(YOUNGER);
  const { value } = callMemory();
  value.bytes.fill(0, 0, PROGRAM_BYTES);
  value.bytes.writeUInt16LE(1, 0);
  value.bytes.writeBigUInt64LE(younger.address, POINTER_OFFSET);
  const [level, option] = SocketOption.attachReusePortFilter;
  libc().setsockopt(fd, level, option, value.address, PROGRAM_BYTES);
}

/**
 * The choice outlives the socket that made it: without this call an upgrade after the first would give all connections to
 * a ztunnel that has only begun to start. Fails without harm when there is none. SO_DETACH_REUSEPORT_BPF
 */
export function shareWithOlderListener(fd: number): void {
  setOption(fd, 'detachReusePortFilter', 0);
}

/** A classic BPF program of one instruction. `struct sock_filter` */
function returning(index: number): NativeMemory {
  const memory = new NativeMemory(FILTER_BYTES);
  memory.bytes.fill(0);
  memory.bytes.writeUInt16LE(RETURN_CONSTANT, 0);
  memory.bytes.writeUInt32LE(index, 4);
  return memory;
}
