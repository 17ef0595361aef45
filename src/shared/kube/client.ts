import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isJsonObject, type JsonObject, parseJson } from '../config/json.ts';
import type { Clock, Timer } from '../lifecycle/clock.ts';
import type { KubeConnection } from './connection.ts';
import { kubeErrorOf } from './kube-error.ts';
import { WatchDecoder, type WatchEvent } from './watch-decoder.ts';

export interface KubeRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `resource.ts` makes them. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  /** Of `body`; patches have their own. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
}

export interface KubeWatchRequest extends Pick<KubeRequest, 'path' | 'query' | 'accept' | 'signal'> {
  /** The server has taken the watch. */
  readonly onOpen?: () => void;
  /** The events of what arrived together. */
  readonly onEvents: (events: readonly WatchEvent[]) => void;
  /** Without a byte for so long the connection counts as dead. */
  readonly idleMs: number;
}

/** What is asked of an API server; tests have their own. */
export interface KubeApi {
  /** Of the context or of the pod. */
  readonly namespace: string;
  /** @returns the object of the answer. Rejects with `KubeError`, or with the error of the connection; also when the answer is no object. */
  request(request: KubeRequest): Promise<JsonObject>;
  /** Resolves when the server ends the watch, as it does every few minutes. Rejects as `request` does. */
  watch(request: KubeWatchRequest): Promise<void>;
}

const DEFAULT_DEADLINE_MS = 30_000;
/** A page of a list is the largest answer. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
export const MERGE_PATCH = 'application/merge-patch+json';
export const APPLY_PATCH = 'application/apply-patch+yaml';

/** A client of one API server, over the runtime's own HTTPS: every tier that has to do with Kubernetes can afford it. */
export class KubeClient implements KubeApi {
  readonly #connection: KubeConnection;
  readonly #clock: Clock;
  readonly #userAgent: string;

  constructor(connection: KubeConnection, clock: Clock, userAgent: string) {
    this.#connection = connection;
    this.#clock = clock;
    this.#userAgent = userAgent;
  }

  get namespace(): string {
    return this.#connection.namespace;
  }

  async request(request: KubeRequest): Promise<JsonObject> {
    const what = `${request.method ?? 'GET'} ${request.path}`;
    const deadline = new Deadline(this.#clock, await this.#send(request));
    deadline.within(request.deadlineMs ?? DEFAULT_DEADLINE_MS, ms => `${what}: no answer within ${ms} ms`);
    return deadline.run(async sent => {
      const response = await responseOf(sent, what);
      const body = parseBody(await textOf(response, what));
      const status = response.statusCode ?? 0;
      if (status < 200 || status >= 300) throw kubeErrorOf(status, body, what);
      if (isJsonObject(body)) return body;
      // Of a proxy in between, or cut off: taken for an empty list it would delete all there is.
      throw new Error(`${what}: status ${status}, and no JSON object: ${excerptOf(body)}`);
    });
  }

  async watch(request: KubeWatchRequest): Promise<void> {
    const what = `WATCH ${request.path}`;
    const sending = this.#send({ ...request, query: { ...request.query, watch: 'true' } });
    const deadline = new Deadline(this.#clock, await sending);
    const expectMore = (): void => deadline.within(request.idleMs, ms => `${what}: silent for ${ms} ms`);
    // Its head comes at once, however rare events are.
    deadline.within(DEFAULT_DEADLINE_MS, ms => `${what}: no answer within ${ms} ms`);
    return deadline.run(async sent => {
      const response = await responseOf(sent, what);
      const status = response.statusCode ?? 0;
      if (status !== 200) throw kubeErrorOf(status, parseBody(await textOf(response, what)), what);
      request.onOpen?.();
      expectMore();
      const decoder = new WatchDecoder();
      for await (const chunk of response) {
        expectMore();
        if (!Buffer.isBuffer(chunk)) continue;
        const events = decoder.push(chunk);
        if (events.length > 0) request.onEvents(events);
      }
    });
  }

  async #send(request: KubeRequest): Promise<ClientRequest> {
    const { accept = 'application/json', body, contentType = 'application/json', method = 'GET' } = request;
    const options = await this.#connection.requestOptions();
    const { server } = this.#connection;
    const url = new URL(server.pathname.replace(/\/$/, '') + request.path, server);
    for (const [name, value] of Object.entries(request.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, value);
    const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = {
      ...Object.fromEntries(Object.entries(options.headers ?? {})),
      accept,
      'user-agent': this.#userAgent,
      ...(payload && { 'content-type': contentType, 'content-length': String(payload.length) }),
    };
    const { signal } = request;
    const sent = send(url, { ...options, method, headers, ...(signal && { signal }) });
    // Whoever waits for the answer hears of it; without a listener it would end the process.
    sent.on('error', () => undefined);
    sent.end(payload);
    return sent;
  }
}

/** One exchange that is cut when its time is up, and then fails with what it waited for. */
class Deadline {
  readonly #clock: Clock;
  readonly #sent: ClientRequest;
  #timer: Timer | undefined;
  #exceeded: Error | undefined;

  constructor(clock: Clock, sent: ClientRequest) {
    this.#clock = clock;
    this.#sent = sent;
  }

  /** From now on; takes the place of an earlier one. */
  within(ms: number, message: (ms: number) => string): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(ms, () => {
      this.#exceeded = new Error(message(ms));
      this.#sent.destroy(this.#exceeded);
    });
  }

  async run<T>(exchange: (sent: ClientRequest) => Promise<T>): Promise<T> {
    try {
      return await exchange(this.#sent);
    } catch (error) {
      // A cut response only says that it was cut.
      throw this.#exceeded ?? error;
    } finally {
      this.#timer?.cancel();
    }
  }
}

function responseOf(sent: ClientRequest, what: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once('response', resolve);
    sent.once('error', error => reject(new Error(`${what}: ${error.message}`, { cause: error })));
    sent.once('close', () => reject(new Error(`${what}: closed without an answer`)));
  });
}

async function textOf(response: IncomingMessage, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES)
      throw new Error(`${what}: an answer of more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const MAX_EXCERPT_CHARS = 80;

function excerptOf(body: unknown): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return JSON.stringify(text.slice(0, MAX_EXCERPT_CHARS));
}

/** An error page of a proxy in between is no JSON: its status says enough. */
function parseBody(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}
