import { checked, libc, libcConverted } from './libc.ts';
import { AddressFamily, MSG_DONTWAIT, SocketType } from './platform.ts';
import { closeFd } from './socket.ts';
import { SystemCallError } from './system-error.ts';

/** netlink(7): types and flags of `struct nlmsghdr` */
const NETLINK_ROUTE = 0;
const NLMSG_ERROR = 2;
const FLAG_REQUEST = 0x1;
const FLAG_ACK = 0x4;
const HEADER_BYTES = 16;
/** Header, errno and the header of the failed request: the longest answer to a request that asks for no dump. */
const MAX_ANSWER_BYTES = 4096;

export interface NetlinkAttribute {
  readonly type: number;
  readonly value: number;
}

export interface NetlinkRequest {
  readonly type: number;
  /** Beyond REQUEST and ACK. */
  readonly flags: number;
  readonly header: Buffer;
  /** 32-bit ones. */
  readonly attributes: readonly NetlinkAttribute[];
  /** What the request is for, in an error message. */
  readonly purpose: string;
}

/**
 * Sends one rtnetlink request in the calling thread's namespace and waits for its acknowledgement, which the kernel
 * has queued before send(2) returns. netlink(7), rtnetlink(7)
 * @returns 0, or the positive errno the kernel answered. Throws when the request could not be sent.
 */
function routeNetlink(request: NetlinkRequest): number {
  const type = SocketType.raw | SocketType.cloexec;
  const fd = checked(libc().socket(AddressFamily.netlink, type, NETLINK_ROUTE), 'socket', request.purpose);
  try {
    const message = encodeNetlink(request);
    checked(libcConverted().send(fd, message, message.length, 0), 'send', request.purpose);
    const answer = Buffer.alloc(MAX_ANSWER_BYTES);
    const length = libcConverted().recv(fd, answer, answer.length, MSG_DONTWAIT);
    return decodeAck(answer.subarray(0, checked(length, 'recv', request.purpose)));
  } finally {
    closeFd(fd);
  }
}

/** As `routeNetlink`, and throws unless the answer is success or one of `accepted`, which is returned. */
export function routeNetlinkChecked(request: NetlinkRequest, accepted: readonly number[]): number {
  const errno = routeNetlink(request);
  if (errno !== 0 && !accepted.includes(errno))
    throw new SystemCallError('rtnetlink', errno, request.purpose);
  return errno;
}

function encodeNetlink(request: NetlinkRequest): Buffer {
  const attributeBytes = 8 * request.attributes.length;
  const message = Buffer.alloc(HEADER_BYTES + request.header.length + attributeBytes);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(request.type, 4);
  message.writeUInt16LE(FLAG_REQUEST | FLAG_ACK | request.flags, 6);
  message.writeUInt32LE(1, 8);
  request.header.copy(message, HEADER_BYTES);
  let at = HEADER_BYTES + request.header.length;
  for (const { type, value } of request.attributes) {
    message.writeUInt16LE(8, at);
    message.writeUInt16LE(type, at + 2);
    message.writeUInt32LE(value >>> 0, at + 4);
    at += 8;
  }
  return message;
}

/** `struct nlmsgerr`: the errno is negated, 0 is an acknowledgement. */
function decodeAck(answer: Buffer): number {
  if (answer.length < HEADER_BYTES + 4 || answer.readUInt16LE(4) !== NLMSG_ERROR) {
    throw new Error(`unexpected netlink answer of ${answer.length} bytes`);
  }
  return -answer.readInt32LE(HEADER_BYTES);
}
