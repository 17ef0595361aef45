import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { KubeClient } from '../kube/client.ts';
import type { Clock } from '../lifecycle/clock.ts';

export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly isWatch: boolean;
}

/** An HTTP server in place of an API server, which does with each request what the test says; also nothing at all. */
export class HttpApiServer {
  readonly client: KubeClient;
  /** What was asked, in order. */
  readonly asked: Asked[] = [];
  answer: (asked: Asked) => void = () => undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number, clock: Clock) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => this.#onRequest(request, response));
    const connection = {
      server: new URL(`http://127.0.0.1:${port}`),
      namespace: 'default',
      requestOptions: () => Promise.resolve({}),
    };
    this.client = new KubeClient(connection, clock, 'test');
  }

  static async start(clock: Clock): Promise<HttpApiServer> {
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return new HttpApiServer(
      server,
      typeof address === 'object' && address !== null ? address.port : 0,
      clock,
    );
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Of those that were asked so far. */
  get lists(): number {
    return this.asked.filter(({ isWatch }) => !isWatch).length;
  }

  get watches(): number {
    return this.asked.length - this.lists;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const query = new URL(request.url ?? '/', 'http://api').searchParams;
    const asked = { request, response, query, isWatch: query.get('watch') === 'true' };
    this.asked.push(asked);
    this.answer(asked);
  }
}

export function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

export function sendEvents(response: ServerResponse, ...events: readonly unknown[]): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
  for (const event of events) response.write(`${JSON.stringify(event)}\n`);
}

/** Until it is so; the test's time limit is the deadline. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve));
}
