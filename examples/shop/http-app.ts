import { createServer, type IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';

/** What every HTTP service of the shop shares: JSON answers, its own name and version, a health page, an orderly stop. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export type Handler = (request: IncomingMessage, url: URL) => Promise<Answer> | Answer;

const PORT = Number(process.env['PORT'] ?? 8080);
export const SERVICE = process.env['SERVICE'] ?? 'app';
export const VERSION = process.env['VERSION'] ?? 'v1';
const CALL_TIMEOUT_MS = 5_000;

export function serveHttp(handler: Handler): void {
  const server = createServer((request, response) => {
    void answer(handler, request).then(({ status, body }) => {
      const text = JSON.stringify({ service: SERVICE, version: VERSION, ...body });
      response.writeHead(status, { 'content-type': 'application/json', 'x-version': VERSION });
      response.end(text);
    });
  });
  // Longer than a proxy in front of it keeps an idle connection, so that the proxy is the one that closes.
  server.keepAliveTimeout = 120_000;
  server.listen(PORT, '::', () => console.log(`${SERVICE} ${VERSION} listens on ${PORT}`));
  process.on('SIGTERM', () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

async function answer(handler: Handler, request: IncomingMessage): Promise<Answer> {
  try {
    const url = new URL(request.url ?? '/', 'http://shop');
    if (url.pathname === '/healthz') return { status: 200, body: {} };
    if (url.pathname === '/whoami') return { status: 200, body: { client: clientAddress(request) } };
    return await handler(request, url);
  } catch (error) {
    return { status: 502, body: { error: error instanceof Error ? error.message : String(error) } };
  }
}

/** The address the connection came from, as the application sees it: in the mesh, that of the client's pod. */
export function clientAddress(request: IncomingMessage): string {
  const address = request.socket.remoteAddress ?? '';
  const mapped = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : '';
  return isIPv4(mapped) ? mapped : address;
}

/** Calls another service of the shop, with the header that the canary rule looks at passed on. */
export async function call(base: string, path: string, from: IncomingMessage): Promise<Answer> {
  const user = from.headers['x-user'];
  const response = await fetch(new URL(path, base), {
    headers: typeof user === 'string' ? { 'x-user': user } : {},
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
  const body: unknown = await response.json().catch(() => undefined);
  return { status: response.status, body: { upstream: body } };
}
