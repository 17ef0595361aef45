import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import {
  connect as http2Connect,
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type ServerHttp2Stream,
} from 'node:http2';
import { createConnection, type Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';

export type Version = 'http1' | 'http2';

/** What came of a CONNECT. */
export interface Tunnel {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Open for a 2xx; for anything else the body of the response. */
  readonly stream: Duplex;
  /** As a client whose process has crashed. */
  reset(): void;
}

export interface TunnelRequest {
  readonly authority?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent right behind the head, with no word from the other side. */
  readonly early?: string;
}

interface Test {
  teardown(end: () => unknown): void;
}

/** Asks for a tunnel as a client of that version does. */
export function openTunnel(
  t: Test,
  version: Version,
  port: number,
  request: TunnelRequest = {},
): Promise<Tunnel> {
  return version === 'http1' ? overHttp1(t, port, request) : overHttp2(t, port, request);
}

const TARGET = 'target.example:443';

async function overHttp1(
  t: Test,
  port: number,
  { authority = TARGET, early = '', headers = {} }: TunnelRequest,
): Promise<Tunnel> {
  const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${fields.join('')}\r\n${early}`);
  const [statusLine = '', ...lines] = (await readHead(socket)).split('\r\n');
  const received = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    received.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 2));
  }
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: received,
    stream: socket,
    reset: () => socket.resetAndDestroy(),
  };
}

/** What follows it stays to be read. */
async function readHead(socket: Socket): Promise<string> {
  let seen = '';
  for (;;) {
    const part: unknown = socket.read();
    if (!Buffer.isBuffer(part)) {
      if (socket.readableEnded || socket.destroyed) throw new Error(`no response: ${JSON.stringify(seen)}`);
      await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
      continue;
    }
    seen += part.toString('latin1');
    const end = seen.indexOf('\r\n\r\n');
    if (end < 0) continue;
    socket.unshift(Buffer.from(seen.slice(end + 4), 'latin1'));
    return seen.slice(0, end);
  }
}

async function overHttp2(
  t: Test,
  port: number,
  { authority = TARGET, early, headers = {} }: TunnelRequest,
): Promise<Tunnel> {
  const socket = createConnection({ port, host: '127.0.0.1' });
  const session = http2Connect('http://127.0.0.1', { createConnection: () => socket });
  t.teardown(() => session.destroy());
  session.on('error', () => {});
  const stream = session.request({ ...headers, ':method': 'CONNECT', ':authority': authority });
  stream.on('error', () => {});
  if (early !== undefined) stream.write(early);
  const fields = await new Promise<IncomingHttpHeaders & IncomingHttpStatusHeader>(resolve =>
    stream.once('response', resolve),
  );
  const received = new Map(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  return {
    status: fields[':status'] ?? 0,
    headers: received,
    stream,
    reset: () => socket.resetAndDestroy(),
  };
}

/** A forward proxy of a test: what it does with a tunnel, it does in place of its target. */
export interface ProxyBehaviour {
  /** Before it has answered: `accept` makes a tunnel of it. Left out: every CONNECT is accepted. */
  readonly onConnect?: (request: AskedTunnel) => void;
  readonly onTunnel: (tunnel: Duplex, authority: string) => void;
}

export interface AskedTunnel {
  readonly authority: string;
  readonly headers: IncomingHttpHeaders;
  readonly accept: (headers?: Readonly<Record<string, string>>) => void;
  readonly refuse: (status: number, headers: Readonly<Record<string, string>>, body: string) => void;
}

export function forwardProxy(version: Version, behaviour: ProxyBehaviour): Server | Http2Server {
  return version === 'http1' ? http1Proxy(behaviour) : http2Proxy(behaviour);
}

function http1Proxy({ onConnect, onTunnel }: ProxyBehaviour): Server {
  const server = createServer((_, res) => res.writeHead(400).end('a proxy, no server'));
  server.on('connect', (req, socket, head: Buffer) => {
    socket.on('error', () => {});
    const authority = req.url ?? '';
    const write = (status: string, headers: Readonly<Record<string, string>>, body: string): void => {
      const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 ${status}\r\n${fields.join('')}\r\n${body}`);
    };
    const asked: AskedTunnel = {
      authority,
      headers: req.headers,
      accept: (headers = {}) => {
        write('200 Connection established', headers, '');
        if (head.length > 0) socket.unshift(head);
        onTunnel(socket, authority);
      },
      refuse: (status, headers, body) => {
        write(`${status} No`, { ...headers, 'content-length': String(body.length) }, body);
        socket.end();
      },
    };
    if (onConnect === undefined) asked.accept();
    else onConnect(asked);
  });
  return server;
}

function http2Proxy({ onConnect, onTunnel }: ProxyBehaviour): Http2Server {
  const server = createHttp2Server();
  server.on('sessionError', () => {});
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    const authority = headers[':authority'] ?? '';
    const asked: AskedTunnel = {
      authority,
      headers,
      accept: (more = {}) => {
        stream.respond({ ...more, ':status': 200 });
        onTunnel(stream, authority);
      },
      refuse: (status, more, body) => {
        stream.respond({ ...more, 'content-length': body.length, ':status': status });
        stream.end(body);
      },
    };
    if (headers[':method'] !== 'CONNECT') stream.respond({ ':status': 400 }, { endStream: true });
    else if (onConnect === undefined) asked.accept();
    else onConnect(asked);
  });
  return server;
}

/** All that comes until the other side has ended its direction; the own one stays open. */
export function readAll(stream: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => resolve(Buffer.concat(parts).toString()));
    stream.on('error', reject);
    stream.on('close', () => reject(new Error('closed before its end')));
  });
}
