import { connect, type Socket } from 'node:net';

const TIMEOUT_MS = 15_000;
/** RFC 1928: version 5, one method, none of authentication; then CONNECT to an IPv4 address. */
const GREETING = Buffer.from([5, 1, 0]);
const GREETING_REPLY_BYTES = 2;
/** A reply with an IPv4 address, the only kind that our ztunnel sends. */
const REPLY_BYTES = 10;

export interface Socks5Proxy {
  readonly host: string;
  readonly port: number;
  readonly localAddress: string;
}

/** A connection through a SOCKS5 proxy (RFC 1928), paused. Rejects when the proxy refuses, hangs, or answers with something else. */
export function socks5Connect(
  proxy: Socks5Proxy,
  to: { readonly ip: string; readonly port: number },
): Promise<Socket> {
  const socket = connect({ ...proxy, allowHalfOpen: true });
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      socket.destroy();
      reject(new Error(`SOCKS5 proxy ${proxy.host}:${proxy.port}: ${why}`));
    };
    socket.setTimeout(TIMEOUT_MS, () => fail(`no answer within ${TIMEOUT_MS / 1000} s`));
    socket.once('error', error => fail(error.message));
    socket.once('end', () => fail('closed the connection'));
    let received = Buffer.alloc(0);
    socket.once('connect', () => socket.write(Buffer.concat([GREETING, request(to)])));
    socket.on('data', function onData(chunk: Buffer) {
      received = Buffer.concat([received, chunk]);
      if (received.length < GREETING_REPLY_BYTES + REPLY_BYTES) {
        if (received.length >= 2 && (received[0] !== 5 || received[1] !== 0))
          fail('refuses to talk without authentication');
        return;
      }
      if (received[3] !== 0) return fail(`answers ${received[3]}`);
      if (received[5] !== 1) return fail('answers with an address that is not IPv4');
      socket.pause();
      socket.off('data', onData);
      socket.removeAllListeners('end').removeAllListeners('error').removeAllListeners('timeout');
      socket.setTimeout(0);
      const early = received.subarray(GREETING_REPLY_BYTES + REPLY_BYTES);
      if (early.length > 0) socket.unshift(early);
      resolve(socket);
    });
  });
}

function request({ ip, port }: { readonly ip: string; readonly port: number }): Buffer {
  return Buffer.from([5, 1, 0, 1, ...ip.split('.').map(Number), port >> 8, port & 0xff]);
}
