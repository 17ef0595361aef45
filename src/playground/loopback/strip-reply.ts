import type { Socket } from 'node:net';
import { REPLY_BYTES, socks5Failure } from './socks5-client.ts';

/**
 * Keeps the SOCKS5 proxy's reply from the program that reads the socket: `push` of this one socket is its own until the
 * reply is complete. A reply that refuses destroys the socket with the error a captured connection would have.
 * Not for a socket with the option `onread`, whose data never passes `push`.
 */
export function stripReply(socket: Socket, target: string): void {
  let held: Buffer = Buffer.alloc(0);
  const fail = (code: string, message: string): false => {
    Reflect.deleteProperty(socket, 'push');
    socket.destroy(Object.assign(new Error(`connection to ${target}: ${message} (${code})`), { code }));
    return false;
  };
  socket.push = (chunk: unknown): boolean => {
    if (!Buffer.isBuffer(chunk)) return fail('ECONNRESET', 'the ztunnel of the pod ended it');
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    if (held.length < REPLY_BYTES) return true;
    const failure = socks5Failure(held.subarray(0, REPLY_BYTES));
    if (failure !== undefined) return fail(failure.code, failure.message);
    Reflect.deleteProperty(socket, 'push');
    return held.length === REPLY_BYTES ? true : socket.push(held.subarray(REPLY_BYTES));
  };
}
