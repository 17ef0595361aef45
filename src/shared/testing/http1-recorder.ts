import type { RequestHead, ResponseHead, ServerExchange } from '../http/exchange.ts';
import { Http1ServerConnection } from '../http1/server-connection.ts';
import { type Http1ServerOptions, serverOptions } from '../http1/server-options.ts';
import { CoarseTimers } from '../lifecycle/coarse-timers.ts';
import { FakeClock } from './fake-clock.ts';
import { memoryChannelPair } from './memory-channel.ts';

/** What a server made of one request. */
export interface RecordedRequest {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** How the body ended: `end`, or the code of the abort; undefined when it has not. */
  readonly ended: string | undefined;
}

export interface Recording {
  readonly requests: readonly RecordedRequest[];
  /** Status and reason of what the codec refused by itself. */
  readonly refused: readonly string[];
  /** Everything the server sent, Latin-1. */
  readonly output: string;
  readonly closed: boolean;
}

export type Responder = (exchange: ServerExchange, request: RequestHead) => void;

const OK: ResponseHead = { status: 200, headers: ['date', 'now'], contentLength: 2 };

/** Answers `ok` when the request is complete. */
export function answerOk(exchange: ServerExchange): void {
  exchange.sendResponse({ ...OK, headers: [...OK.headers] }, false);
  exchange.sendBody(Buffer.from('ok'));
  exchange.endBody();
}

export interface RecordOptions {
  readonly fragment?: (available: number) => number;
  readonly options?: Partial<Omit<Http1ServerOptions, 'timers'>>;
  /** Called when the request is complete; `answerOk` by default. */
  readonly respond?: Responder;
}

/** Feeds `input` (Latin-1 text or bytes) to a server connection and records what becomes of it. */
export function recordServer(input: string | Buffer, record: RecordOptions = {}): Recording {
  const pair = memoryChannelPair(record.fragment === undefined ? {} : { fragment: record.fragment });
  const requests: RecordedRequest[] = [];
  const refused: string[] = [];
  const respond = record.respond ?? answerOk;
  const timers = new CoarseTimers(new FakeClock(), 100);
  const output: Buffer[] = [];
  let closed = false;
  const server = new Http1ServerConnection(pair.right, serverOptions(timers, record.options), {
    onRequest: exchange => recordExchange(exchange, requests, respond),
    onRefused: (status, reason) => refused.push(`${status} ${reason}`),
    onClose: () => {},
  });
  server.start();
  pair.left.setHandler({
    onData: slice => output.push(Buffer.from(slice)),
    onEnd: () => {
      closed = true;
    },
    onDrain: () => {},
    onClose: () => {
      closed = true;
    },
  });
  pair.left.write(typeof input === 'string' ? Buffer.from(input, 'latin1') : input);
  pair.flush();
  return { requests, refused, output: Buffer.concat(output).toString('latin1'), closed };
}

function recordExchange(exchange: ServerExchange, requests: RecordedRequest[], respond: Responder): void {
  const { method, authority, path, headers } = exchange.request;
  const index = requests.length;
  const chunks: Buffer[] = [];
  const update = (trailers: readonly string[], ended: string | undefined): void => {
    const body = Buffer.concat(chunks).toString('latin1');
    requests[index] = { method, authority, path, headers, body, trailers, ended };
  };
  update([], undefined);
  exchange.setSink({
    onBody(slice) {
      chunks.push(Buffer.from(slice));
      update([], undefined);
      return true;
    },
    onBodyEnd(trailers) {
      update(trailers, 'end');
      respond(exchange, exchange.request);
    },
    onAbort: error => update([], error.code),
    onWritable: () => {},
    onIdle: reason => update([], reason),
  });
  if (exchange.request.upgrade !== undefined || method === 'CONNECT') respond(exchange, exchange.request);
}
