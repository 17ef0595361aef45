import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/*
 * What Node's public interface does not tell about a socket, or does not let one ask of it. The runtime is pinned, and
 * `node-internals.test.ts` fails when a new one has moved them; all fail closed or fall back.
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

/**
 * Makes an accepted socket that has not read anything yet read into `buffer`, as the option `onread` does for sockets that
 * connect. Without it each read of a few bytes allocates 64 KiB, and the collector runs all the time.
 * @returns false where the runtime has moved the parts this needs: the socket emits `data` then
 */
export function readIntoBuffer(socket: Socket, buffer: Buffer, onRead: (bytes: number) => boolean): boolean {
  const handle = readMember(socket, '_handle');
  const useUserBuffer = readMember(handle, 'useUserBuffer');
  const symbols = Object.getOwnPropertySymbols(socket);
  const bufferKey = symbols.find(symbol => symbol.description === 'kBuffer');
  const callbackKey = symbols.find(symbol => symbol.description === 'kBufferCb');
  if (typeof useUserBuffer !== 'function' || bufferKey === undefined || callbackKey === undefined)
    return false;
  Reflect.set(socket, bufferKey, buffer);
  Reflect.set(socket, callbackKey, onRead);
  Reflect.apply(useUserBuffer, handle, [buffer]);
  return true;
}

function readMember(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null ? Reflect.get(object, name) : undefined;
}
