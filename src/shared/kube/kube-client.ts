import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { isJsonObject, parseJson } from '../config/json.ts';
import type { Clock } from '../lifecycle/clock.ts';
import { type ClusterAccess, readCredential } from './cluster-access.ts';
import { KubeApiError } from './kube-api-error.ts';
import { LineSplitter } from './line-splitter.ts';

/** What the API server can be asked. */
export interface KubeApi {
  /** The object that was answered. Rejects with `KubeApiError` when the server refuses. */
  send(request: KubeRequest): Promise<unknown>;
  /**
   * Hands over each line of a watch; resolves when the server ends it. Rejects with `KubeApiError`, with what `onLine`
   * threw, when the server is silent for too long, and with the signal's reason.
   */
  watch(path: string, onLine: (line: string) => void, signal: AbortSignal): Promise<void>;
}

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** With its query. */
  readonly path: string;
  /** PATCH: a JSON merge patch. */
  readonly body?: object;
  readonly signal?: AbortSignal;
}

const REQUEST_DEADLINE_MS = 15_000;
/** Bookmarks come about once a minute: a server that says nothing for this long is gone. */
const WATCH_SILENCE_MS = 150_000;
const MAX_BODY_BYTES = 64 << 20;
/** An object is at most some 1.5 MB in the API server's storage; JSON is wordier. */
const MAX_LINE_BYTES = 8 << 20;
const MAX_ERROR_BYTES = 64 << 10;

/**
 * The few calls that a node agent makes, without the weight of a client library: one ztunnel runs on every node, and the
 * library would double its memory.
 */
export class KubeClient implements KubeApi {
  readonly #access: ClusterAccess;
  readonly #clock: Clock;
  readonly #userAgent: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8, timeout: WATCH_SILENCE_MS });

  constructor(access: ClusterAccess, clock: Clock, userAgent: string) {
    this.#access = access;
    this.#clock = clock;
    this.#userAgent = userAgent;
  }

  async send({ method, path, body, signal }: KubeRequest): Promise<unknown> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const headers =
      text === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(text) };
    const options = { ...(await this.#options(method, path)), headers: await this.#headers(headers) };
    const deadline = this.#deadline(REQUEST_DEADLINE_MS, `${method} ${path}`, signal);
    try {
      const response = await open({ ...options, signal: deadline.signal }, text);
      const answer = await collect(response, isSuccess(response) ? MAX_BODY_BYTES : MAX_ERROR_BYTES);
      if (!isSuccess(response)) throw refusal(response, answer, `${method} ${path}`);
      return parseJson(answer);
    } catch (cause) {
      throw deadline.signal.aborted ? abortReason(deadline.signal) : cause;
    } finally {
      deadline.cancel();
    }
  }

  async watch(path: string, onLine: (line: string) => void, signal: AbortSignal): Promise<void> {
    const options = { ...(await this.#options('GET', path)), headers: await this.#headers({}) };
    const silence = this.#deadline(REQUEST_DEADLINE_MS, `watch ${path}`, signal);
    try {
      const response = await open({ ...options, signal: silence.signal }, undefined);
      if (!isSuccess(response)) {
        throw refusal(response, await collect(response, MAX_ERROR_BYTES), `watch ${path}`);
      }
      const lines = new LineSplitter(MAX_LINE_BYTES);
      silence.extend(WATCH_SILENCE_MS);
      for await (const chunk of chunksOf(response)) {
        silence.extend(WATCH_SILENCE_MS);
        lines.push(chunk, onLine);
      }
    } catch (cause) {
      throw silence.signal.aborted ? abortReason(silence.signal) : cause;
    } finally {
      silence.cancel();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #options(method: string, path: string): Promise<RequestOptions> {
    const { host, port, caFile } = this.#access;
    return { agent: this.#agent, host, port, method, path, ca: await readCredential(caFile) };
  }

  async #headers(more: Record<string, string | number>): Promise<Record<string, string | number>> {
    const token = await readCredential(this.#access.tokenFile);
    return {
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      'user-agent': this.#userAgent,
      ...more,
    };
  }

  #deadline(ms: number, what: string, outer: AbortSignal | undefined): Deadline {
    return new Deadline(this.#clock, ms, what, outer);
  }
}

/** Aborts when the outer signal does, or when its time has passed without being extended. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #what: string;
  readonly #outer: AbortSignal | undefined;
  #timer: ReturnType<Clock['setTimer']>;

  constructor(clock: Clock, ms: number, what: string, outer: AbortSignal | undefined) {
    this.#clock = clock;
    this.#what = what;
    this.#outer = outer;
    this.#timer = this.#start(ms);
    if (outer?.aborted === true) this.#onOuter();
    outer?.addEventListener('abort', this.#onOuter, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  extend(ms: number): void {
    this.#timer.cancel();
    this.#timer = this.#start(ms);
  }

  cancel(): void {
    this.#timer.cancel();
    this.#outer?.removeEventListener('abort', this.#onOuter);
  }

  readonly #onOuter = (): void => this.#controller.abort(this.#outer?.reason);

  #start(ms: number): ReturnType<Clock['setTimer']> {
    return this.#clock.setTimer(ms, () =>
      this.#controller.abort(new Error(`the API server said nothing for ${ms} ms: ${this.#what}`)),
    );
  }
}

function open(options: RequestOptions, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request(options, resolve);
    sent.once('error', cause => {
      reject(
        new Error(`cannot reach the API server at ${options.host}:${options.port}: ${cause.message}`, {
          cause,
        }),
      );
    });
    sent.end(body);
  });
}

async function collect(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunksOf(response)) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`the API server's answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes).toString('utf8');
}

async function* chunksOf(response: IncomingMessage): AsyncGenerator<Buffer> {
  for await (const chunk of response) if (Buffer.isBuffer(chunk)) yield chunk;
}

function isSuccess({ statusCode }: IncomingMessage): boolean {
  return statusCode !== undefined && statusCode >= 200 && statusCode < 300;
}

function refusal(response: IncomingMessage, body: string, what: string): KubeApiError {
  const status = response.statusCode ?? 0;
  return new KubeApiError(status, `${what}: ${status} ${messageIn(body)}`);
}

/** Of a `Status` object, or the text itself. */
function messageIn(body: string): string {
  try {
    const status = parseJson(body);
    if (isJsonObject(status) && typeof status['message'] === 'string') return status['message'];
  } catch {
    // A proxy in between answers in words of its own.
  }
  return body.slice(0, 200);
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}
