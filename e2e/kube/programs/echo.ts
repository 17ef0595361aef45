import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createH2Server, type ServerHttp2Stream } from 'node:http2';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { hostname } from 'node:os';

/**
 * Server of the cluster tests; says who it is and who it sees.
 *
 *   8080  HTTP/1.1: any path answers with what was asked, /status/<code> with that code, /healthz; WebSocket echo
 *   8081  HTTP/2 without TLS: a gRPC method that answers with its own message
 *   9000  TCP: speaks first, then gives back what it gets
 *   9001  UDP: gives back what it gets
 */
const VERSION = process.env['VERSION'] ?? 'v1';
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const SHORT_FRAME = 125;

const http = createServer((request, response) => void answer(request, response));
http.on('upgrade', (request: IncomingMessage, socket: Socket) => echoFrames(request, socket));

const grpc = createH2Server();
grpc.on('stream', (stream: ServerHttp2Stream) => {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'x-version': VERSION },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.concat(chunks));
  });
  stream.on('error', () => undefined);
});

const tcp = createTcpServer(socket => {
  socket.setNoDelay();
  socket.on('error', () => undefined);
  socket.write(`220 ${hostname()} ${socket.remoteAddress ?? ''}\r\n`);
  socket.pipe(socket);
});

const udp = createSocket('udp4');
udp.on('message', (message, from) => udp.send(message, from.port, from.address));

// On the network of a host there is room for one port alone, PORT.
http.listen(Number(process.env['PORT'] ?? 8080), '::');
if (process.env['PORT'] === undefined) {
  grpc.listen(8081, '::');
  tcp.listen(9000, '::');
  udp.bind(9001);
}

/** Every answer is the last of its connection. */
let draining = false;

// As servers do at SIGTERM: idle connections are closed, requests under way are finished.
process.on('SIGTERM', () => {
  draining = true;
  http.close(() => process.exit(0));
  setTimeout(() => process.exit(0), 5_000).unref();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk);
  const path = request.url ?? '/';
  const status = /^\/status\/(\d{3})$/.exec(path)?.[1];
  const seen = {
    hostname: hostname(),
    version: VERSION,
    remote: request.socket.remoteAddress?.replace('::ffff:', ''),
    method: request.method,
    path,
    headers: request.headers,
    body: Buffer.concat(chunks).toString('utf8'),
  };
  if (draining) response.setHeader('connection', 'close');
  response.writeHead(Number(status ?? 200), { 'content-type': 'application/json', 'x-version': VERSION });
  response.end(`${JSON.stringify(seen)}\n`);
}

/** Gives back each short text frame. RFC 6455, sections 1.3 and 5.2 */
function echoFrames(request: IncomingMessage, socket: Socket): void {
  const key = request.headers['sec-websocket-key'] ?? '';
  const accept = createHash('sha1')
    .update(key + WEBSOCKET_GUID)
    .digest('base64');
  const head = ['HTTP/1.1 101 Switching Protocols', 'upgrade: websocket', 'connection: Upgrade'];
  socket.write([...head, `sec-websocket-accept: ${accept}`, '', ''].join('\r\n'));
  socket.on('error', () => undefined);
  socket.on('data', (frame: Buffer) => {
    const length = (frame[1] ?? 0) & 0x7f;
    if (((frame[0] ?? 0) & 0x0f) !== 1 || length > SHORT_FRAME) return void socket.end();
    const mask = frame.subarray(2, 6);
    const text = frame.subarray(6, 6 + length).map((byte, i) => byte ^ (mask[i % 4] ?? 0));
    socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
  });
}
