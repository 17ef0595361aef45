import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/*
 * The two facts about a socket that Node's public interface does not tell. The runtime is pinned, and
 * `node-internals.test.ts` fails when a new one has moved them; both fail closed.
 */

/** The file descriptor under a connected socket; -1 when it is closed. */
export function socketFd(socket: Socket): number {
  const fd: unknown = readMember(readMember(socket, '_handle'), 'fd');
  return typeof fd === 'number' ? fd : -1;
}

/**
 * OpenSSL's verdict on the peer's chain, undefined when it is good. `TLSSocket.authorized` says the same, but is only
 * set for sockets that a `tls.Server` accepted, and a `tls.Server` cannot say which accepted socket it has secured.
 */
export function chainVerifyError(socket: TLSSocket): string | undefined {
  const handle = readMember(socket, '_handle');
  const verify = readMember(handle, 'verifyError');
  if (typeof verify !== 'function') return 'the runtime does not tell the result of chain verification';
  const error: unknown = Reflect.apply(verify, handle, []);
  if (error === null || error === undefined) return undefined;
  const code = readMember(error, 'code');
  return typeof code === 'string' ? code : 'unknown chain verification error';
}

function readMember(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null ? Reflect.get(object, name) : undefined;
}
