import { type Test, test } from 'tap';
import {
  type ClientExchange,
  type ClientExchangeSink,
  ExchangeError,
  type RequestHead,
  type ServerExchange,
  type ServerExchangeSink,
} from '../http/exchange.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type MemoryChannelPair, memoryChannelPair } from '../testing/memory-channel.ts';
import { openExchange } from './client-exchange.ts';
import { Http2Connection } from './connection.ts';
import { ErrorCode } from './error-code.ts';
import type { Http2Options } from './options.ts';
import { serveExchange } from './server-exchange.ts';
import type { Http2Stream } from './stream.ts';

const HEAD: RequestHead = {
  method: 'POST',
  scheme: 'http',
  authority: 'orders.shop:80',
  path: '/v1?x=1',
  headers: ['content-type', 'application/grpc', 'te', 'trailers'],
  protocol: 'HTTP/2',
  upgrade: undefined,
  contentLength: undefined,
  expectContinue: false,
};

interface Ends {
  readonly pair: MemoryChannelPair;
  readonly client: Http2Connection;
  readonly server: Http2Connection;
  readonly clock: FakeClock;
}

/** @param onStream hears of each stream before its exchange is made */
function connect(
  onExchange: (exchange: ServerExchange) => void,
  options: Partial<Http2Options> = {},
  onStream: (stream: Http2Stream) => void = () => {},
): Ends {
  const pair = memoryChannelPair({ fragment: available => Math.min(available, 1000) });
  const clock = new FakeClock();
  const quiet = { onGoaway() {}, onCapacity() {}, onClose() {} };
  const server = new Http2Connection('server', pair.right, clock, options, {
    ...quiet,
    onStream: (stream, fields, endStream) => {
      onStream(stream);
      return serveExchange(stream, fields, endStream, onExchange);
    },
  });
  const client = new Http2Connection('client', pair.left, clock, options, {
    ...quiet,
    onStream: () => {
      throw new Error('a client is not asked');
    },
  });
  pair.flush();
  return { pair, client, server, clock };
}

class Sink implements ClientExchangeSink, ServerExchangeSink {
  readonly events: string[] = [];
  mayGoOn = true;
  bodyBytes = 0;

  onInformational(head: { status: number }): void {
    this.events.push(`interim ${head.status}`);
  }

  onResponse(
    head: { status: number; headers: string[]; contentLength: number | undefined },
    endStream: boolean,
  ): void {
    this.events.push(`response ${head.status} ${head.headers.join(' ')} ${head.contentLength} ${endStream}`);
  }

  onBody(slice: Buffer): boolean {
    this.bodyBytes += slice.length;
    this.events.push(`body ${slice.length > 20 ? slice.length : slice.toString()}`);
    return this.mayGoOn;
  }

  onBodyEnd(trailers: string[]): void {
    this.events.push(['end', ...trailers].join(' '));
  }

  onIdle(reason: string): void {
    this.events.push(`idle ${reason}`);
  }

  onAbort(error: ExchangeError): void {
    this.events.push(`abort ${error.code}`);
  }

  onWritable(): void {
    this.events.push('writable');
  }
}

/** One exchange; the server's sink and exchange once the request has arrived. */
function exchange(
  t: Test,
  head: Partial<RequestHead>,
  endStream: boolean,
  options: Partial<Http2Options> = {},
) {
  let served: ServerExchange | undefined;
  const serverSink = new Sink();
  const ends = connect(e => {
    served = e;
    e.setSink(serverSink);
  }, options);
  const clientSink = new Sink();
  const request: ClientExchange = openExchange(ends.client, { ...HEAD, ...head }, endStream, clientSink);
  ends.pair.flush();
  if (served === undefined) throw new Error('the request did not arrive');
  t.teardown(() => {
    ends.client.close(0, 'test over');
    ends.server.close(0, 'test over');
    ends.pair.flush();
    if (ends.clock.pendingTimers > 0) throw new Error(`${ends.clock.pendingTimers} timers left`);
  });
  return { ...ends, request, clientSink, serverSink, served };
}

test('a request and its response keep head, body and trailers', t => {
  const x = exchange(t, {}, false);
  t.match(x.served.request, { ...HEAD, protocol: 'HTTP/2' });
  x.request.sendBody(Buffer.from('ping'));
  x.request.endBody(['checksum', '1']);
  x.pair.flush();
  t.same(x.serverSink.events, ['body ping', 'end checksum 1']);
  x.served.sendResponse(
    { status: 200, headers: ['content-type', 'application/grpc'], contentLength: undefined },
    false,
  );
  x.served.sendBody(Buffer.from('pong'));
  x.served.endBody(['grpc-status', '0']);
  x.pair.flush();
  t.same(x.clientSink.events, [
    'response 200 content-type application/grpc undefined false',
    'body pong',
    'end grpc-status 0',
  ]);
  t.same([x.client.openStreams, x.server.openStreams], [0, 0]);
  t.end();
});

test('gRPC trailers-only: one head that ends the stream', t => {
  const x = exchange(t, {}, true);
  x.served.sendResponse({ status: 200, headers: ['grpc-status', '12'], contentLength: undefined }, true);
  x.pair.flush();
  t.same(x.clientSink.events, ['response 200 grpc-status 12 0 true', 'end']);
  t.end();
});

test('100-continue and other interim responses come before the response', t => {
  const x = exchange(t, { expectContinue: true, contentLength: 2 }, false);
  t.match(x.served.request, { expectContinue: true, contentLength: 2 });
  x.served.sendContinue();
  x.served.sendContinue();
  x.served.sendResponse({ status: 103, headers: ['link', '</a>'], contentLength: undefined }, false);
  x.request.sendBody(Buffer.from('ab'));
  x.request.endBody();
  x.pair.flush();
  x.served.sendResponse({ status: 204, headers: [], contentLength: undefined }, true);
  x.pair.flush();
  t.same(x.clientSink.events, ['interim 100', 'interim 103', 'response 204  0 true', 'end']);
  t.end();
});

test('a paused sink hears nothing until it resumes, then all of it in order', t => {
  const x = exchange(t, {}, false);
  x.serverSink.mayGoOn = false;
  for (const part of ['a', 'b', 'c']) x.request.sendBody(Buffer.from(part));
  x.request.endBody();
  x.pair.flush();
  t.same(x.serverSink.events, ['body a']);
  x.served.resumeBody();
  t.same(x.serverSink.events, ['body a', 'body b']);
  x.serverSink.mayGoOn = true;
  x.served.resumeBody();
  t.same(x.serverSink.events, ['body a', 'body b', 'body c', 'end']);
  t.end();
});

test('a sender that is told to stop is told to go on when the window opens', t => {
  const x = exchange(t, {}, false, { streamWindowBytes: 1000 });
  x.serverSink.mayGoOn = false;
  t.equal(x.request.sendBody(Buffer.alloc(1500)), false);
  x.pair.flush();
  t.same(x.clientSink.events, []);
  x.serverSink.mayGoOn = true;
  x.served.resumeBody();
  x.pair.flush();
  t.same(x.clientSink.events, ['writable']);
  t.equal(x.serverSink.bodyBytes, 1500);
  t.end();
});

test('an answer before the end of the request stops the request without harm to the answer', t => {
  const x = exchange(t, {}, false);
  x.served.sendResponse({ status: 413, headers: [], contentLength: 3 }, false);
  x.served.sendBody(Buffer.from('big'));
  x.served.endBody();
  x.pair.flush();
  t.same(x.clientSink.events, ['response 413  3 false', 'body big', 'end']);
  t.same(x.serverSink.events, []);
  t.same([x.client.openStreams, x.server.openStreams], [0, 0]);
  t.end();
});

test('HEAD: the length is that of the body a GET would have', t => {
  const x = exchange(t, { method: 'HEAD' }, true);
  x.served.sendResponse({ status: 200, headers: [], contentLength: 1234 }, true);
  x.pair.flush();
  t.same(x.clientSink.events, ['response 200  1234 true', 'end']);
  t.end();
});

test('aborts: each side learns of the other in its own terms', t => {
  const a = exchange(t, {}, false);
  a.request.abort(new ExchangeError('cancelled', 'enough'));
  a.pair.flush();
  t.same([a.serverSink.events, a.clientSink.events], [['abort cancelled'], []]);
  const b = exchange(t, {}, false);
  b.served.abort(new ExchangeError('refused_before_sending', 'no'));
  b.pair.flush();
  t.same(b.clientSink.events, ['abort refused_before_sending']);
  const c = exchange(t, {}, false);
  c.served.sendResponse({ status: 200, headers: [], contentLength: 10 }, false);
  c.served.abort(new ExchangeError('reset', 'upstream died'));
  c.pair.flush();
  t.same(c.clientSink.events, ['response 200  10 false', 'abort reset']);
  t.end();
});

test('an upgrade of HTTP/1.1 becomes extended CONNECT, and its 200 becomes 101 again', t => {
  const options = { enableConnectProtocol: true };
  const x = exchange(t, { method: 'GET', upgrade: 'websocket', path: '/chat' }, false, options);
  t.match(x.served.request, {
    method: 'CONNECT',
    upgrade: 'websocket',
    path: '/chat',
    contentLength: undefined,
  });
  x.served.sendResponse({ status: 101, headers: [], contentLength: undefined }, false);
  x.request.sendBody(Buffer.from('hello'));
  x.pair.flush();
  t.same(x.clientSink.events, ['response 101  undefined false']);
  t.same(x.serverSink.events, ['body hello']);
  x.request.abort(new ExchangeError('cancelled', 'done'));
  t.end();
});

const CONNECT = { method: 'CONNECT', scheme: '', path: '', authority: 'target.example:443' };

test('a CONNECT is a tunnel from its 2xx on: each direction ends by itself', t => {
  const x = exchange(t, CONNECT, false);
  t.match(x.served.request, { ...CONNECT, upgrade: undefined, contentLength: undefined });
  x.served.sendResponse({ status: 200, headers: [], contentLength: 5 }, true);
  x.served.sendBody(Buffer.from('hello'));
  x.served.endBody();
  x.pair.flush();
  t.same(x.clientSink.events, ['response 200  undefined false', 'body hello', 'end']);
  x.request.sendBody(Buffer.from('still '));
  x.request.sendBody(Buffer.from('heard'));
  x.pair.flush();
  x.request.endBody();
  x.pair.flush();
  t.same(x.serverSink.events, ['body still ', 'body heard', 'end']);
  t.same([x.client.openStreams, x.server.openStreams], [0, 0]);
  t.end();
});

test('a client may end its direction of a tunnel with the head', t => {
  const x = exchange(t, CONNECT, true);
  t.equal(x.served.request.contentLength, undefined);
  t.same(x.serverSink.events, ['end']);
  x.served.sendResponse({ status: 200, headers: [], contentLength: undefined }, false);
  x.served.sendBody(Buffer.from('hello'));
  x.served.endBody();
  x.pair.flush();
  t.same(x.clientSink.events.slice(1), ['body hello', 'end']);
  t.same([x.client.openStreams, x.server.openStreams], [0, 0]);
  t.end();
});

test('a tunnel is reset as HTTP/2 says it of TCP, also when one direction has ended', t => {
  const options = { enableConnectProtocol: true };
  for (const [asked, status, expected] of [
    [CONNECT, 200, 'CONNECT_ERROR'],
    [{ method: 'CONNECT', upgrade: 'websocket', path: '/chat' }, 101, 'CANCEL'],
  ] as const) {
    const x = exchange(t, asked, false, options);
    x.served.sendResponse({ status, headers: [], contentLength: undefined }, false);
    x.served.endBody();
    x.pair.flush();
    let reason = '';
    x.clientSink.onAbort = error => (reason = error.message);
    x.served.abort(new ExchangeError('reset', 'the target is gone'));
    x.pair.flush();
    t.match(reason, expected);
    t.same([x.client.openStreams, x.server.openStreams], [0, 0]);
  }
  t.end();
});

test('a server that has ended a tunnel and wants no more of it loses nothing of what it sent', t => {
  let stream: Http2Stream | undefined;
  const { client, pair, server } = connect(
    () => {},
    {},
    opened => (stream = opened),
  );
  const sink = new Sink();
  sink.mayGoOn = false;
  const request = openExchange(client, { ...HEAD, ...CONNECT }, false, sink);
  pair.flush();
  stream?.sendHeaders([':status', '200'], false);
  stream?.sendData(Buffer.from('hello '), false);
  pair.flush();
  stream?.sendData(Buffer.from('and bye'), true);
  stream?.reset(ErrorCode.NO_ERROR);
  pair.flush();
  t.same(sink.events.splice(0), ['response 200  undefined false', 'body hello ', 'writable']);
  t.equal(request.sendBody(Buffer.from('nobody reads')), true, 'nothing waits for it');
  sink.mayGoOn = true;
  request.resumeBody();
  t.same(sink.events, ['body and bye', 'end']);
  client.close(0, 'test over');
  server.close(0, 'test over');
  pair.flush();
  t.end();
});

test('an upgrade is refused with nothing sent when the peer has not offered it', t => {
  const ends = connect(() => {});
  t.throws(() => openExchange(ends.client, { ...HEAD, upgrade: 'websocket' }, false, new Sink()), {
    code: 'protocol_error',
  });
  ends.client.drain();
  t.throws(() => openExchange(ends.client, HEAD, true, new Sink()), { code: 'refused_before_sending' });
  t.end();
});

test('fields that have no place in HTTP/2 are left behind, and cookie crumbs are joined', t => {
  const headers = [
    'connection',
    'x',
    'keep-alive',
    '1',
    'te',
    'gzip',
    'host',
    'b',
    'cookie',
    'a=1',
    'cookie',
    'b=2',
  ];
  const x = exchange(t, { headers }, true);
  t.same(x.served.request.headers, ['cookie', 'a=1; b=2']);
  t.equal(x.served.request.contentLength, 0);
  t.end();
});
