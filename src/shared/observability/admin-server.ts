import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { removeIfPossible } from '../state/staged-file.ts';
import { errorMessage } from './error-message.ts';
import type { Logger } from './logger.ts';

export interface AdminRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Lines that follow the body as they are ready. @returns what ends them, for when who asked has gone */
  readonly stream?: (output: LineOutput) => () => void;
}

export interface LineOutput {
  /** Without the line end. @returns false when who asked does not keep up: the line was not taken. */
  writeLine(line: string): boolean;
  end(): void;
}

export type AdminHandler = (request: AdminRequest) => AdminResponse | Promise<AdminResponse>;

export interface AdminRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** One line for the index page. */
  readonly help: string;
  readonly handle: AdminHandler;
}

export type AdminAddress = { readonly ip: string; readonly port: number } | { readonly unixSocket: string };

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 64;
/** Lines of a stream that wait for who asked. */
const MAX_STREAM_BYTES = 1024 * 1024;
/** unix(7): sun_path holds 108 bytes, the last one NUL. */
const MAX_UNIX_PATH_BYTES = 107;

export function json(value: unknown, status = 200): AdminResponse {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value, mapsAsObjects, 2)}\n` };
}

export function text(body: string, status = 200): AdminResponse {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

function mapsAsObjects(_key: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}

/**
 * The operator's HTTP server of each tier (admin, metrics and readiness are three of them). Small on purpose: exact paths,
 * no request bodies. An address that is not loopback must only be given routes that change nothing.
 */
export class AdminServer {
  readonly #servers: Server[] = [];
  readonly #sockets: string[] = [];
  readonly #routes: ReadonlyMap<string, AdminRoute>;
  readonly #logger: Logger;

  constructor(routes: readonly AdminRoute[], logger: Logger) {
    this.#routes = new Map(routes.map(r => [`${r.method} ${r.path}`, r]));
    this.#logger = logger;
  }

  /**
   * @returns the port bound (0 for a unix socket). Rejects when the address is taken. A socket on a disk that is full or read-only is gone
   * without: that is no reason to carry no traffic.
   */
  async listen(address: AdminAddress): Promise<number> {
    if ('unixSocket' in address && Buffer.byteLength(address.unixSocket) > MAX_UNIX_PATH_BYTES) {
      throw new Error(
        `unix socket path ${address.unixSocket} is too long: at most ${MAX_UNIX_PATH_BYTES} bytes`,
      );
    }
    const server = createServer(
      { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
      (req, res) => {
        void this.#serve(req, res);
      },
    );
    server.maxConnections = MAX_CONNECTIONS;
    try {
      await listenOn(server, address);
      if ('unixSocket' in address) chmodSync(address.unixSocket, 0o600);
    } catch (error) {
      if (!('unixSocket' in address) || !isOfDisk(error)) throw error;
      const { unixSocket: path } = address;
      this.#logger.error('admin socket not made, going on without', { path, error: errorMessage(error) });
      return 0;
    }
    this.#servers.push(server);
    if ('unixSocket' in address) this.#sockets.push(address.unixSocket);
    const bound = server.address();
    return bound !== null && typeof bound === 'object' ? bound.port : 0;
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.splice(0).map(closeServer));
    for (const path of this.#sockets.splice(0)) removeIfPossible(path);
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const response = await this.#answer(req);
    res.writeHead(response.status, {
      'content-type': response.contentType,
      'x-content-type-options': 'nosniff',
    });
    if (req.method === 'HEAD' || response.stream === undefined)
      res.end(req.method === 'HEAD' ? '' : response.body);
    else streamLines(res, response.body, response.stream);
  }

  async #answer(req: IncomingMessage): Promise<AdminResponse> {
    if (isFromBrowser(req)) return text('this address is not for web pages; use curl or ambientctl\n', 403);
    const url = URL.parse(req.url ?? '/', 'http://admin');
    if (url === null) return text('bad request target\n', 400);
    const method = req.method === 'HEAD' ? 'GET' : (req.method ?? 'GET');
    if (url.pathname === '/') return text(this.#index());
    const route = this.#routes.get(`${method} ${url.pathname}`);
    if (route === undefined) return text(`no such page: ${method} ${url.pathname}\n\n${this.#index()}`, 404);
    try {
      return await route.handle({ method, path: url.pathname, query: url.searchParams });
    } catch (error) {
      const message = errorMessage(error);
      this.#logger.error('admin request failed', { path: url.pathname, error: message });
      return text(`${message}\n`, 500);
    }
  }

  #index(): string {
    return [...this.#routes.values()]
      .map(r => `${r.method.padEnd(5)}${r.path.padEnd(28)}${r.help}\n`)
      .join('');
  }
}

function streamLines(
  res: ServerResponse,
  body: string,
  stream: Exclude<AdminResponse['stream'], undefined>,
): void {
  // The head goes at once: who asked sees that it is being served before the first line is there.
  res.flushHeaders();
  if (body !== '') res.write(body);
  const stop = stream({
    writeLine(line) {
      if (res.writableEnded || res.writableLength > MAX_STREAM_BYTES) return false;
      res.write(`${line}\n`);
      return true;
    },
    end: () => void res.end(),
  });
  res.on('close', stop);
}

function listenOn(server: Server, address: AdminAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const onListening = (): void => {
      server.off('error', reject);
      resolve();
    };
    if ('unixSocket' in address) {
      rmSync(address.unixSocket, { force: true });
      server.listen(address.unixSocket, onListening);
    } else {
      server.listen(address.port, address.ip, onListening);
    }
  });
}

function isOfDisk(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EROFS' || error.code === 'ENOSPC');
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/**
 * A page in an operator's browser can send requests to loopback addresses: by name (DNS rebinding, seen by a Host that is
 * not the address) or as a form (seen by Origin). Neither has any business here.
 */
function isFromBrowser(req: IncomingMessage): boolean {
  if (req.headers.origin !== undefined) return true;
  const local = req.socket.localAddress ?? '';
  if (!/^(?:127\.|::1$|::ffff:127\.)/.test(local)) return false;
  const host = (req.headers.host ?? 'localhost').replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  return host !== 'localhost' && isIP(host) === 0;
}
