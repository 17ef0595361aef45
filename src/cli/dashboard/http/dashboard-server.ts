import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { DescriptionReply, TapEvent, TapNote } from '#shared/dashboard/frames.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { CliError } from '../../cli-error.ts';
import type { TapFilter } from '../../tap/tap-request.ts';
import type { MeshLabel } from '../frames/head.ts';
import type { MeshWatch } from '../mesh-watch.ts';
import { EventStream } from './event-stream.ts';
import { API_PREFIX, refusalOf } from './guard.ts';
import { readView, type View } from './view-wish.ts';

/** Files of the page, by path. */
export type PageFiles = ReadonlyMap<string, PageFile>;

export interface PageFile {
  readonly contentType: string;
  readonly body: string;
}

export interface DashboardServerOptions {
  readonly watch: MeshWatch;
  readonly label: MeshLabel;
  readonly page: PageFiles;
  readonly clock: Clock;
  readonly token: string;
  /** Names by which it is reached besides addresses and `localhost`. */
  readonly hosts: readonly string[];
  /** What applies to a pod or service. Rejects with a `CliError`. */
  readonly describe: (kind: 'pod' | 'service', name: string) => Promise<DescriptionReply>;
  /** Shows requests until the signal aborts. Rejects with a `CliError`. */
  readonly tap: (
    service: string | undefined,
    filter: TapFilter,
    onEvent: (event: TapEvent | TapNote) => void,
    signal: AbortSignal,
  ) => Promise<void>;
}

const REQUEST_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 64;
const MAX_STREAMS = 24;
/** Of the taps that a waypoint allows beside each other half are left to others. */
const MAX_TAPS = 4;
/** A page is told this often at most. */
const MIN_FRAME_INTERVAL_MS = 500;

/** Nothing is loaded from elsewhere, nothing is run that is written into the page, and nobody frames it. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
};

/** The dashboard's HTTP server: the page, and what it shows. It changes nothing. */
export class DashboardServer {
  readonly #options: DashboardServerOptions;
  readonly #server: Server;
  readonly #streams = new Set<EventStream>();
  #taps = 0;

  constructor(options: DashboardServerOptions) {
    this.#options = options;
    const timeouts = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS };
    this.#server = createServer(timeouts, (req, res) => this.#serve(req, res));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @returns the port. Rejects when the address cannot be had. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => resolve());
    });
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.end();
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #serve(req: IncomingMessage, res: ServerResponse): void {
    for (const [name, value] of Object.entries(HEADERS)) res.setHeader(name, value);
    const url = URL.parse(req.url ?? '/', 'http://dashboard');
    if (url === null) return answer(res, 400, 'bad request target');
    const site = req.headers['sec-fetch-site'];
    const refusal = refusalOf(
      {
        method: req.method ?? '',
        path: url.pathname,
        host: req.headers.host ?? '',
        origin: req.headers.origin,
        fetchSite: typeof site === 'string' ? site : undefined,
        authorization: req.headers.authorization,
      },
      this.#options,
    );
    if (refusal !== undefined) return answer(res, refusal.status, refusal.message);
    if (url.pathname.startsWith(API_PREFIX)) return this.#api(url, res);
    const file = this.#options.page.get(url.pathname);
    if (file === undefined) return answer(res, 404, 'no such page');
    res.writeHead(200, { 'content-type': file.contentType });
    res.end(req.method === 'HEAD' ? '' : file.body);
  }

  #api(url: URL, res: ServerResponse): void {
    switch (url.pathname) {
      case '/api/live': {
        const view = readView(url.searchParams);
        return typeof view === 'string' ? answer(res, 400, view) : this.#live(view, res);
      }
      case '/api/tap':
        return this.#tap(url.searchParams, res);
      case '/api/describe':
        void this.#describe(url.searchParams, res);
        return;
      default:
        return answer(res, 404, 'no such page');
    }
  }

  #live(view: View, res: ServerResponse): void {
    const { clock, label, watch } = this.#options;
    let [lastMs, timer]: [number, Timer | undefined] = [Number.NEGATIVE_INFINITY, undefined];
    const stream = this.#open(res, () => {
      timer?.cancel();
      unsubscribe();
    });
    if (stream === undefined) return;
    const show = (): void => {
      timer = undefined;
      lastMs = clock.monotonic();
      if (stream.isReady) stream.send(view(watch.picture(), label));
    };
    const unsubscribe = watch.onChange(() => {
      timer ??= clock.setTimer(Math.max(0, lastMs + MIN_FRAME_INTERVAL_MS - clock.monotonic()), show);
    });
    show();
  }

  #tap(query: URLSearchParams, res: ServerResponse): void {
    if (this.#taps >= MAX_TAPS) return answer(res, 429, `${MAX_TAPS} taps are open already; close one`);
    const ended = new AbortController();
    const stream = this.#open(res, () => {
      this.#taps--;
      ended.abort();
    });
    if (stream === undefined) return;
    this.#taps++;
    const done = this.#options.tap(
      query.get('service') ?? undefined,
      tapFilter(query),
      event => void stream.send(event),
      ended.signal,
    );
    done.then(
      () => stream.end(),
      (error: unknown) => {
        stream.send({ note: errorMessage(error) });
        stream.end();
      },
    );
  }

  /** Undefined, and answered, when there are too many. */
  #open(res: ServerResponse, onEnd: () => void): EventStream | undefined {
    if (this.#streams.size >= MAX_STREAMS) {
      answer(res, 429, `${MAX_STREAMS} pages are open already; close one`);
      return undefined;
    }
    const stream = new EventStream(res, this.#options.clock, () => {
      this.#streams.delete(stream);
      onEnd();
    });
    this.#streams.add(stream);
    return stream;
  }

  async #describe(query: URLSearchParams, res: ServerResponse): Promise<void> {
    const kind = query.get('kind') === 'pod' ? 'pod' : 'service';
    try {
      const reply = await this.#options.describe(kind, query.get('name') ?? '');
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify(reply));
    } catch (error) {
      answer(res, error instanceof CliError ? 404 : 500, errorMessage(error));
    }
  }
}

/** So many requests a second are as much as can be read. */
const TAP_MAX_RPS = '20';
const TAP_DURATION = '10m';
const TAP_FIELDS = ['namespace', 'source', 'sourceNamespace', 'method', 'path', 'status'] as const;

function tapFilter(query: URLSearchParams): TapFilter {
  const given = TAP_FIELDS.flatMap(name => {
    const value = query.get(name) ?? '';
    return value === '' ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(given), maxRps: TAP_MAX_RPS, duration: TAP_DURATION };
}

function answer(res: ServerResponse, status: number, message: string): void {
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  res.end(`${message}\n`);
}
