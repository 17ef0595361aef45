import { request, type RequestOptions } from 'node:http';
import { Socket } from 'node:net';
import { runInNetns } from '#shared/native/netns.ts';
import { openTcpSocket } from '#shared/native/socket.ts';
import { familyOf } from '#shared/native/socket-address.ts';

const TIMEOUT_MS = 5_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** Asks a proxy's admin server over its unix socket. Rejects when it does not answer with 200. */
export function fetchAdmin(socketPath: string, path: string, method: 'GET' | 'POST'): Promise<string> {
  return fetchText({ socketPath, path, method }, `${socketPath}${path}`);
}

/** Asks a server inside a network namespace (undefined: the playground's own). Rejects when it does not answer with 200. */
export function fetchInNetns(
  netnsFd: number | undefined,
  ip: string,
  port: number,
  path: string,
  timeoutMs = TIMEOUT_MS,
): Promise<string> {
  if (netnsFd === undefined) return fetchText({ host: ip, port, path }, `${ip}:${port}${path}`, timeoutMs);
  const fd = runInNetns(netnsFd, () => openTcpSocket(familyOf(ip)));
  const socket = new Socket({ fd });
  const what = `${ip}:${port}${path}`;
  return new Promise((resolve, reject) => {
    // Connected first: a refusal may come before a request has looked at its socket.
    socket.once('error', error => reject(new Error(`${what}: ${error.message}`, { cause: error })));
    socket.connect({ host: ip, port }, () => {
      fetchText({ createConnection: () => socket, path }, what, timeoutMs).then(resolve, reject);
    });
  });
}

function fetchText(options: RequestOptions, what: string, timeoutMs = TIMEOUT_MS): Promise<string> {
  return new Promise((resolve, reject) => {
    // No pool: `agent: false` would ignore `createConnection`, and without either the global pool would be used.
    const pooling = 'createConnection' in options ? {} : { agent: false as const };
    const call = request({ ...options, ...pooling }, response => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BODY_BYTES) call.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${what} answered ${response.statusCode}: ${body.trim().slice(0, 300)}`));
      });
    });
    // Not as an option: that would be for a connection of the runtime's own, and one that is given would wait for ever.
    call.setTimeout(timeoutMs, () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    call.on('error', error => reject(new Error(`${what}: ${error.message}`, { cause: error })));
    call.end();
  });
}
