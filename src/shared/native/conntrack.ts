import type { SocketEndpoint } from '../engine/channel.ts';
import { ipFromBytes, parseIp } from '../workload/ip.ts';
import { checked, lastErrno, libc, libcConverted } from './libc.ts';
import { runInNetns } from './netns.ts';
import { AddressFamily, MSG_DONTWAIT, SocketType } from './platform.ts';
import { closeFd } from './socket.ts';
import { SystemCallError } from './system-error.ts';

/** include/uapi/linux/netlink.h, netfilter/nfnetlink.h, netfilter/nfnetlink_conntrack.h */
const NETLINK_NETFILTER = 12;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const FLAG_REQUEST = 0x1;
const FLAG_DUMP = 0x300;
const CONNTRACK_GET = (1 << 8) | 1;
const CONNTRACK_NEW = (1 << 8) | 0;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;
const Mark = { value: 8, mask: 21 } as const;
const Tuple = { original: 1, reply: 2 } as const;
const Part = { ip: 1, protocol: 2 } as const;
const Address = { v4Source: 1, v4Destination: 2, v6Source: 3, v6Destination: 4 } as const;
const Protocol = { number: 1, sourcePort: 2, destinationPort: 3 } as const;
/** `struct nlmsghdr` and `struct nfgenmsg`. */
const NETLINK_HEADER_BYTES = 16;
const MESSAGE_HEADER_BYTES = NETLINK_HEADER_BYTES + 4;
const ATTRIBUTE_HEADER_BYTES = 4;
const IPPROTO_UDP = 17;
const ENOENT = 2;
const EPROTO = 71;
/** One connection with all that the kernel tells of it. */
const MAX_ANSWER_BYTES = 8192;

/**
 * Asks the connection tracking of one namespace where datagrams were going before they were redirected, which no socket option
 * tells of UDP. Needs CAP_NET_ADMIN and the kernel's nf_conntrack_netlink.
 */
export class ConnectionTracking {
  readonly #fd: number;
  readonly #answer = Buffer.alloc(MAX_ANSWER_BYTES);
  #sequence = 0;

  /** Throws `SystemCallError`. */
  constructor(netnsFd: number) {
    this.#fd = runInNetns(netnsFd, () => openNetlink('ask connection tracking'));
  }

  /**
   * @param receiver where the datagram came to
   * @param sender who its receiver takes it from
   * @returns undefined: it was not redirected, or is forgotten. Throws `SystemCallError` where the kernel does not tell.
   */
  originalDestination(receiver: SocketEndpoint, sender: SocketEndpoint): SocketEndpoint | undefined {
    const sequence = (this.#sequence = (this.#sequence + 1) >>> 0);
    const request = encodeRequest(receiver, sender, sequence);
    const sent = libcConverted().send(this.#fd, request, request.length, 0);
    checked(sent, 'send', 'ask connection tracking');
    // The answer is there when send(2) returns; one that an error left behind comes before it.
    for (;;) {
      const length = libcConverted().recv(this.#fd, this.#answer, this.#answer.length, MSG_DONTWAIT);
      if (length < 0) throw new SystemCallError('recv', lastErrno(), 'ask connection tracking');
      const answer = this.#answer.subarray(0, length);
      if (length >= NETLINK_HEADER_BYTES && answer.readUInt32LE(8) === sequence) return decode(answer);
    }
  }

  close(): void {
    closeFd(this.#fd);
  }
}

/**
 * Whether connection tracking knows a connection in the calling thread's namespace whose mark is `mark` in the bits of `mask`.
 * Throws `SystemCallError` where the kernel does not tell.
 */
export function hasConnectionsMarked(mark: number, mask: number): boolean {
  const purpose = 'look for connections in connection tracking';
  const fd = openNetlink(purpose);
  try {
    const filter = [attribute(Mark.value, [bigEndian(mark)]), attribute(Mark.mask, [bigEndian(mask)])];
    const request = encodeMessage(FLAG_REQUEST | FLAG_DUMP, 1, 0, Buffer.concat(filter));
    checked(libcConverted().send(fd, request, request.length, 0), 'send', purpose);
    const answer = Buffer.alloc(MAX_ANSWER_BYTES);
    const length = checked(libcConverted().recv(fd, answer, answer.length, MSG_DONTWAIT), 'recv', purpose);
    return tellsOfConnection(answer.subarray(0, length), purpose);
  } finally {
    closeFd(fd);
  }
}

/** In the calling thread's namespace. The caller owns the descriptor. */
function openNetlink(purpose: string): number {
  const type = SocketType.raw | SocketType.cloexec | SocketType.nonblock;
  return checked(libc().socket(AddressFamily.netlink, type, NETLINK_NETFILTER), 'socket', purpose);
}

/** The first message of a list: a connection, or its end. */
function tellsOfConnection(answer: Buffer, purpose: string): boolean {
  const type = answer.length < NETLINK_HEADER_BYTES ? undefined : answer.readUInt16LE(4);
  if (type === CONNTRACK_NEW || type === NLMSG_DONE) return type === CONNTRACK_NEW;
  const isError = type === NLMSG_ERROR && answer.length >= MESSAGE_HEADER_BYTES;
  throw new SystemCallError(
    'conntrack',
    isError ? -answer.readInt32LE(NETLINK_HEADER_BYTES) : EPROTO,
    purpose,
  );
}

/** By the addresses of its answers: those do not depend on where it was going. */
function encodeRequest(receiver: SocketEndpoint, sender: SocketEndpoint, sequence: number): Buffer {
  const [from, to] = [addressBytes(receiver.ip), addressBytes(sender.ip)];
  const v4 = from.length === 4;
  const tuple = attribute(NESTED | Tuple.reply, [
    attribute(NESTED | Part.ip, [
      attribute(v4 ? Address.v4Source : Address.v6Source, [from]),
      attribute(v4 ? Address.v4Destination : Address.v6Destination, [to]),
    ]),
    attribute(NESTED | Part.protocol, [
      attribute(Protocol.number, [Uint8Array.of(IPPROTO_UDP)]),
      attribute(Protocol.sourcePort, [port(receiver.port)]),
      attribute(Protocol.destinationPort, [port(sender.port)]),
    ]),
  ]);
  return encodeMessage(FLAG_REQUEST, sequence, v4 ? AddressFamily.inet : AddressFamily.inet6, tuple);
}

function encodeMessage(flags: number, sequence: number, family: number, attributes: Buffer): Buffer {
  const header = Buffer.alloc(MESSAGE_HEADER_BYTES);
  header.writeUInt32LE(MESSAGE_HEADER_BYTES + attributes.length, 0);
  header.writeUInt16LE(CONNTRACK_GET, 4);
  header.writeUInt16LE(flags, 6);
  header.writeUInt32LE(sequence, 8);
  header.writeUInt8(family, NETLINK_HEADER_BYTES);
  return Buffer.concat([header, attributes]);
}

/** `struct nlattr`: its length without the bytes that fill it up to a multiple of four. */
function attribute(type: number, parts: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(parts);
  const bytes = Buffer.alloc(ATTRIBUTE_HEADER_BYTES + aligned(value.length));
  bytes.writeUInt16LE(ATTRIBUTE_HEADER_BYTES + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  value.copy(bytes, ATTRIBUTE_HEADER_BYTES);
  return bytes;
}

function decode(answer: Buffer): SocketEndpoint | undefined {
  const type = answer.readUInt16LE(4);
  if (type === NLMSG_ERROR) {
    const errno = answer.length < MESSAGE_HEADER_BYTES ? 0 : -answer.readInt32LE(NETLINK_HEADER_BYTES);
    if (errno === ENOENT) return undefined;
    throw new SystemCallError('conntrack', errno, 'ask connection tracking');
  }
  if (type !== CONNTRACK_NEW) throw new Error(`unexpected answer ${type} of connection tracking`);
  const tuple = attributes(answer.subarray(MESSAGE_HEADER_BYTES)).get(Tuple.original);
  const parts = attributes(tuple ?? Buffer.alloc(0));
  const addresses = attributes(parts.get(Part.ip) ?? Buffer.alloc(0));
  const bytes = addresses.get(Address.v4Destination) ?? addresses.get(Address.v6Destination);
  const portBytes = attributes(parts.get(Part.protocol) ?? Buffer.alloc(0)).get(Protocol.destinationPort);
  const ip = bytes === undefined ? undefined : ipFromBytes(bytes);
  if (ip === undefined || portBytes?.length !== 2)
    throw new Error('connection tracking tells no original destination');
  return { ip, port: portBytes.readUInt16BE(0) };
}

/** One level of them, by type; what is cut off ends it. */
function attributes(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + ATTRIBUTE_HEADER_BYTES <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > bytes.length) break;
    found.set(
      bytes.readUInt16LE(at + 2) & TYPE_MASK,
      bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length),
    );
    at += aligned(length);
  }
  return found;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function addressBytes(ip: string): Uint8Array {
  const bytes = parseIp(ip);
  if (bytes === undefined) throw new Error(`not an IP address: ${JSON.stringify(ip)}`);
  return bytes;
}

function bigEndian(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function port(number: number): Uint8Array {
  return Uint8Array.of(number >> 8, number & 0xff);
}
