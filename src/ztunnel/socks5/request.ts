import { ipFromBytes } from '#shared/workload/ip.ts';

/** RFC 1928: the client's greeting, an optional user name and password (RFC 1929), then one request. */
export type Socks5Step =
  /** More bytes are needed. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'greeting'; readonly length: number; readonly methods: readonly number[] }
  | { readonly kind: 'request'; readonly length: number; readonly host: string; readonly port: number }
  /** `reply` is the code of the reply (RFC 1928 §6) where one can still be sent; 0xff refuses all methods. */
  | { readonly kind: 'error'; readonly reply: number; readonly reason: string };

export const SOCKS5 = {
  version: 5,
  noAuthentication: 0,
  noAcceptableMethods: 0xff,
  connect: 1,
  ipv4: 1,
  domainName: 3,
  ipv6: 4,
} as const;

export const SOCKS5_REPLY = {
  succeeded: 0,
  generalFailure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  connectionRefused: 5,
  ttlExpired: 6,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const;

/** The longest message is a request with a name of 255 bytes; a client that sends more without being asked is cut. */
export const MAX_SOCKS5_BYTES = 4 + 1 + 255 + 2;

const INCOMPLETE: Socks5Step = Object.freeze({ kind: 'incomplete' });
const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
/** Letters, digits, hyphen, underscore and dots, as Kubernetes and DNS host names are made of. */
const HOST_NAME = /^(?=.{1,253}\.?$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/;

/** `05 nmethods methods…` */
export function parseGreeting(bytes: Uint8Array): Socks5Step {
  const [version, count] = bytes;
  if (version === undefined) return INCOMPLETE;
  if (version !== SOCKS5.version) return notSocks5(version);
  if (count === undefined) return INCOMPLETE;
  if (count === 0) return error(SOCKS5.noAcceptableMethods, 'the greeting offers no method');
  const length = 2 + count;
  if (bytes.length < length) return INCOMPLETE;
  return { kind: 'greeting', length, methods: [...bytes.subarray(2, length)] };
}

/** `05 command 00 address-type address port` */
export function parseRequest(bytes: Uint8Array): Socks5Step {
  const [version, command, reserved, addressType, first] = bytes;
  if (version === undefined) return INCOMPLETE;
  if (version !== SOCKS5.version) return notSocks5(version);
  if (command === undefined || reserved === undefined || addressType === undefined) return INCOMPLETE;
  if (command !== SOCKS5.connect) {
    return error(
      SOCKS5_REPLY.commandNotSupported,
      `command ${command} is not CONNECT, which alone is supported`,
    );
  }
  if (reserved !== 0) return error(SOCKS5_REPLY.generalFailure, `reserved byte is ${reserved}, not 0`);
  switch (addressType) {
    case SOCKS5.ipv4:
      return withIp(bytes, IPV4_BYTES);
    case SOCKS5.ipv6:
      return withIp(bytes, IPV6_BYTES);
    case SOCKS5.domainName:
      return first === undefined ? INCOMPLETE : withName(bytes, first);
    default:
      return error(
        SOCKS5_REPLY.addressTypeNotSupported,
        `address type ${addressType} is not IPv4, IPv6 or a name`,
      );
  }
}

function withIp(bytes: Uint8Array, size: number): Socks5Step {
  const length = 4 + size + 2;
  if (bytes.length < length) return INCOMPLETE;
  const host = ipFromBytes(bytes.subarray(4, 4 + size)) ?? '';
  return withPort(bytes, length, host);
}

function withName(bytes: Uint8Array, size: number): Socks5Step {
  if (size === 0) return error(SOCKS5_REPLY.generalFailure, 'the host name is empty');
  const length = 5 + size + 2;
  if (bytes.length < length) return INCOMPLETE;
  const host = Buffer.from(bytes.subarray(5, 5 + size)).toString('latin1');
  if (!HOST_NAME.test(host)) {
    return error(SOCKS5_REPLY.generalFailure, `${JSON.stringify(host)} is no host name`);
  }
  return withPort(bytes, length, host.toLowerCase());
}

function withPort(bytes: Uint8Array, length: number, host: string): Socks5Step {
  const port = ((bytes[length - 2] ?? 0) << 8) | (bytes[length - 1] ?? 0);
  if (port === 0) return error(SOCKS5_REPLY.generalFailure, 'port 0 cannot be connected to');
  return { kind: 'request', length, host, port };
}

function notSocks5(version: number): Socks5Step {
  const hint = version === 4 ? ' (SOCKS4)' : '';
  return error(SOCKS5.noAcceptableMethods, `protocol version ${version}${hint} is not SOCKS5`);
}

function error(reply: number, reason: string): Socks5Step {
  return { kind: 'error', reply, reason };
}
