import { test } from 'tap';
import type { ServerExchange } from '../http/exchange.ts';
import { ExchangeError } from '../http/exchange.ts';
import { CoarseTimers } from '../lifecycle/coarse-timers.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { answerOk, type Recording, type Responder, recordServer } from '../testing/http1-recorder.ts';
import { type MemoryChannel, memoryChannelPair } from '../testing/memory-channel.ts';
import { Http1ServerConnection } from './server-connection.ts';
import { type Http1ServerOptions, serverOptions } from './server-options.ts';

const OK = 'HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 2\r\n\r\nok';
const OK_CLOSE = 'HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok';
const DATE = ['date', 'now'];

interface Row {
  readonly sentence: string;
  readonly input: string;
  readonly output: string;
  /** Of the last request. */
  readonly request?: Partial<Recording['requests'][number]>;
  readonly count?: number;
  readonly closed?: boolean;
  readonly respond?: Responder;
}

const ROWS: readonly Row[] = [
  {
    sentence: 'a request without a body is answered and the connection kept',
    input: 'GET /a?b HTTP/1.1\r\nHost: h:80\r\nAccept: */*\r\n\r\n',
    output: OK,
    request: { method: 'GET', authority: 'h:80', path: '/a?b', headers: ['accept', '*/*'], body: '' },
    closed: false,
  },
  {
    sentence: 'pipelined requests are answered in order',
    input:
      'GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: h\r\n\r\n',
    output: OK + OK + OK,
    request: { path: '/3' },
    count: 3,
  },
  {
    sentence: 'a chunked body with extensions and trailers is put together, forbidden trailers dropped',
    input:
      'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b;c="d e"\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nHost: 9\r\nSet-Cookie: a\r\n\r\n',
    output: OK,
    request: { body: 'abc0123456789', trailers: ['x-sum', '1'], headers: [] },
  },
  {
    sentence: 'blanks around a value are taken off, inner ones kept',
    input: 'GET / HTTP/1.1\r\nHost:h\r\nA: \t b  c \t\r\nEmpty:  \r\n\r\n',
    output: OK,
    request: { headers: ['a', 'b  c', 'empty', ''] },
  },
  {
    sentence: 'fields of the connection do not go on, nor those that Connection names',
    input:
      'GET / HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive, X-Secret\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\nTE: trailers\r\nX-Secret: 1\r\nB: 2\r\nx-secret: 3\r\n\r\n',
    output: OK,
    request: { headers: ['b', '2'] },
  },
  {
    sentence: 'Connection: close is granted',
    input: 'GET / HTTP/1.1\r\nHost: h\r\nConnection: CLOSE\r\n\r\n',
    output: OK_CLOSE,
    closed: true,
  },
  {
    sentence: 'nothing behind Connection: close is served',
    input: 'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n',
    output: OK_CLOSE,
    count: 1,
    closed: true,
  },
  { sentence: 'HTTP/1.0 is closed', input: 'GET / HTTP/1.0\r\n\r\n', output: OK_CLOSE, closed: true },
  {
    sentence: 'HTTP/1.0 is kept when it asks for it',
    input: 'GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n',
    output: OK.replace('\r\n\r\n', '\r\nconnection: keep-alive\r\n\r\n'),
    closed: false,
  },
  {
    sentence: 'a body of unknown length ends with the connection for HTTP/1.0',
    input: 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
    output: 'HTTP/1.1 200 OK\r\ndate: now\r\nconnection: close\r\n\r\nhi',
    respond: send(200, undefined, ['hi']),
    closed: true,
  },
  {
    sentence: 'a body of unknown length is chunked for HTTP/1.1, trailers after it',
    input: 'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    output:
      'HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n5\r\nthere\r\n0\r\ngrpc-status: 0\r\n\r\n',
    respond: send(200, undefined, ['hi', '', 'there'], ['grpc-status', '0', 'content-length', '7']),
    closed: false,
  },
  {
    sentence: 'HEAD gets the length and no body',
    input: 'HEAD / HTTP/1.1\r\nHost: h\r\n\r\n',
    output: 'HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 5\r\n\r\n',
    respond: send(200, 5, ['hello']),
    closed: false,
  },
  {
    sentence: '204 has neither length nor body',
    input: 'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    output: 'HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n',
    respond: send(204, 0, []),
  },
  {
    sentence: '304 may say a length and has no body',
    input: 'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    output: 'HTTP/1.1 304 Not Modified\r\ndate: now\r\ncontent-length: 7\r\n\r\n',
    respond: send(304, 7, ['ignored']),
  },
  {
    sentence: 'a declared body that is not sent in full breaks the connection',
    input: 'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    output: '',
    respond: send(200, 5, ['hi']),
    closed: true,
  },
  {
    sentence: 'a body beyond its declared length breaks the connection',
    input: 'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    output: '',
    respond: send(200, 1, ['hi']),
    closed: true,
  },
  {
    sentence: 'a response field that would end the line is not sent: 502',
    input: 'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    output: 'HTTP/1.1 502 Bad Gateway\r\n',
    respond: exchange =>
      exchange.sendResponse({ status: 200, headers: ['x', 'a\r\nb: c'], contentLength: 0 }, true),
    closed: true,
  },
  {
    sentence: 'fields that the codec owns are not taken from a list',
    input: 'GET / HTTP/1.1\r\nHost: h\r\n\r\n',
    output: 'HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 0\r\n\r\n',
    respond: exchange =>
      exchange.sendResponse(
        {
          status: 200,
          headers: [...DATE, 'transfer-encoding', 'chunked', 'connection', 'close'],
          contentLength: 0,
        },
        true,
      ),
  },
  {
    sentence: 'an absolute target gives authority and path',
    input: 'GET HTTP://H:8080?x HTTP/1.1\r\nHost: h:8080\r\n\r\n',
    output: OK,
    request: { authority: 'H:8080', path: '/?x' },
  },
  {
    sentence: 'OPTIONS * is for the server as a whole',
    input: 'OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n',
    output: OK,
    request: { path: '*' },
  },
  {
    sentence: 'an absolute OPTIONS without a path is an asterisk',
    input: 'OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n',
    output: OK,
    request: { path: '*' },
  },
  {
    sentence: 'an IPv6 host is kept',
    input: 'GET / HTTP/1.1\r\nHost: [fd00::1]:80\r\n\r\n',
    output: OK,
    request: { authority: '[fd00::1]:80' },
  },
  {
    sentence: 'one empty line before a request is forgiven',
    input: '\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n',
    output: OK,
  },
  {
    sentence: '100 Continue is sent when asked for, once',
    input: 'POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi',
    output: OK_CLOSE,
    request: { headers: [], body: 'hi' },
    closed: true,
  },
  {
    sentence: 'CONNECT becomes a tunnel',
    input: 'CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\nraw\x00bytes',
    output: 'HTTP/1.1 200 OK\r\ndate: now\r\n\r\nhello',
    request: { authority: 'h:443', path: '', body: 'raw\x00bytes' },
    respond: exchange => {
      exchange.sendResponse({ status: 200, headers: [...DATE], contentLength: undefined }, false);
      exchange.sendBody(Buffer.from('hello'));
    },
    closed: false,
  },
  ...['', 'Host: h\r\n', 'Host: H:443\r\nProxy-Connection: keep-alive\r\n'].map(fields => ({
    sentence: `CONNECT of an old client, or one that leaves the port out: ${JSON.stringify(fields)}`,
    input: `CONNECT h:443 HTTP/1.0\r\n${fields}\r\nraw`,
    output: 'HTTP/1.1 200 OK\r\ndate: now\r\n\r\n',
    request: { authority: 'h:443', path: '', headers: [], body: 'raw' },
    respond: (exchange: ServerExchange) =>
      exchange.sendResponse({ status: 200, headers: [...DATE], contentLength: 5 }, false),
    closed: false,
  })),
  {
    sentence: 'bytes behind a refused CONNECT are not a request',
    input: 'CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n',
    output: 'HTTP/1.1 403 Forbidden\r\ndate: now\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
    respond: exchange => exchange.sendResponse({ status: 403, headers: [...DATE], contentLength: 0 }, true),
    count: 1,
    closed: true,
  },
  {
    sentence: 'an upgrade that is granted carries bytes both ways',
    input: 'GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00',
    output:
      'HTTP/1.1 101 Switching Protocols\r\ndate: now\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x82\x00',
    request: { body: '\x81\x00' },
    respond: exchange => {
      exchange.sendResponse({ status: 101, headers: [...DATE], contentLength: undefined }, false);
      exchange.sendBody(Buffer.from([0x82, 0]));
    },
    closed: false,
  },
  {
    sentence: 'an upgrade that is declined is an ordinary request',
    input:
      'GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n',
    output: OK + OK,
    count: 2,
  },
  {
    sentence: 'an upgrade without Connection: upgrade is none',
    input: 'GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n',
    output: OK,
    request: { ended: 'end' },
  },
  {
    sentence: 'an upgrade to h2c is ignored',
    input:
      'GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n',
    output: OK,
    request: { headers: [], ended: 'end' },
  },
];

function send(status: number, length: number | undefined, body: string[], trailers?: string[]): Responder {
  return exchange => {
    exchange.sendResponse({ status, headers: [...DATE], contentLength: length }, false);
    for (const part of body) exchange.sendBody(Buffer.from(part));
    exchange.endBody(trailers);
  };
}

for (const row of ROWS) {
  test(row.sentence, t => {
    // Whole, byte by byte, and in pieces of 2 to 17: the same in every fragmentation.
    for (let size = 0; size < 18; size++) {
      const fragment = (available: number): number => (size === 0 ? available : size);
      const record = row.respond === undefined ? { fragment } : { fragment, respond: row.respond };
      const { requests, output, closed, refused } = recordServer(row.input, record);
      if (row.output.startsWith('HTTP/1.1 502')) t.match(output, row.output);
      else t.equal(output, row.output, `output in pieces of ${size}`);
      if (row.request !== undefined) t.match(requests.at(-1), row.request, `request in pieces of ${size}`);
      if (row.count !== undefined) t.equal(requests.length, row.count);
      if (row.closed !== undefined) t.equal(closed, row.closed);
      if (!row.output.startsWith('HTTP/1.1 502')) t.same(refused, []);
    }
    t.end();
  });
}

interface Harness {
  readonly clock: FakeClock;
  readonly client: MemoryChannel;
  readonly server: Http1ServerConnection;
  readonly exchanges: ServerExchange[];
  readonly aborts: string[];
  readonly bodies: string[];
  output(): string;
  state(): string;
  flush(): void;
  send(text: string): void;
}

function harness(
  options: Partial<Omit<Http1ServerOptions, 'timers'>> = {},
  highWaterBytes?: number,
): Harness {
  const pair = memoryChannelPair(highWaterBytes === undefined ? {} : { highWaterBytes });
  const clock = new FakeClock();
  const exchanges: ServerExchange[] = [];
  const aborts: string[] = [];
  const bodies: string[] = [];
  const server = new Http1ServerConnection(pair.right, serverOptions(new CoarseTimers(clock, 100), options), {
    onRequest(exchange) {
      exchanges.push(exchange);
      exchange.setSink({
        onBody: slice => bodies.push(slice.toString()) < 2,
        onBodyEnd: () => {},
        onAbort: error => aborts.push(error.code),
        onWritable: () => aborts.push('writable'),
        onIdle: reason => aborts.push(reason),
      });
    },
    onRefused: () => {},
    onClose: () => {},
  });
  server.start();
  let output = '';
  let state = 'open';
  pair.left.setHandler({
    onData: slice => {
      output += slice.toString('latin1');
    },
    onEnd: () => {
      state = 'ended';
    },
    onDrain: () => {},
    onClose: error => {
      state = error === undefined ? 'closed' : 'reset';
    },
  });
  const flush = (): void => pair.flush();
  return {
    clock,
    client: pair.left,
    server,
    exchanges,
    aborts,
    bodies,
    output: () => output,
    state: () => state,
    flush,
    send(text) {
      pair.left.write(Buffer.from(text, 'latin1'));
      flush();
    },
  };
}

const GET = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n';

test('an idle connection is closed after the idle timeout', t => {
  const h = harness({ idleTimeoutMs: 5_000 });
  h.clock.advance(4_900);
  h.flush();
  t.equal(h.state(), 'open');
  h.clock.advance(400);
  h.flush();
  t.equal(h.state(), 'ended');
  h.clock.advance(2_000);
  h.flush();
  t.equal(h.state(), 'reset', 'a client that does not close is not waited for');
  // The tick that finds nothing left.
  h.clock.advance(100);
  t.equal(h.clock.pendingTimers, 0);
  t.end();
});

test('a request whose answer does not begin is told when nothing has moved, and may answer, for the last time', t => {
  const h = harness({ streamIdleTimeoutMs: 500, lingerMs: 100 });
  h.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
  h.clock.advance(800);
  t.same(h.aborts, ['stream idle timeout']);
  h.exchanges[0]?.sendResponse({ status: 504, headers: [], contentLength: 0 }, true);
  h.flush();
  t.match(h.output(), /^HTTP\/1.1 504 [^]*connection: close/i);
  t.equal(h.state(), 'ended');
  t.end();
});

test('who does not answer even then is broken off', t => {
  const h = harness({ streamIdleTimeoutMs: 500 });
  h.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
  h.clock.advance(800);
  h.clock.advance(800);
  h.flush();
  t.same(h.aborts, ['stream idle timeout', 'timeout']);
  t.equal(h.output(), '');
  t.equal(h.state(), 'reset');
  t.end();
});

test('a head that does not end gets 408', t => {
  const h = harness({ headTimeoutMs: 1_000 });
  h.send('GET / HTTP/1.1\r\nHos');
  h.clock.advance(1_500);
  h.flush();
  t.match(h.output(), /^HTTP\/1.1 408 /);
  t.end();
});

test('a request body that does not end gets 408, however it trickles', t => {
  const h = harness({ requestTimeoutMs: 1_000, streamIdleTimeoutMs: 500 });
  h.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n');
  for (let i = 0; i < 5; i++) {
    h.clock.advance(200);
    h.exchanges[0]?.resumeBody();
    h.send('a');
  }
  t.same(h.aborts, []);
  h.clock.advance(400);
  h.flush();
  t.same(h.aborts, ['timeout']);
  t.match(h.output(), /^HTTP\/1.1 408 /);
  t.end();
});

test('an exchange in which nothing moves is broken off once its response has begun', t => {
  const h = harness({ streamIdleTimeoutMs: 1_000 });
  h.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
  h.exchanges[0]?.sendResponse({ status: 200, headers: [], contentLength: 5 }, false);
  h.clock.advance(1_300);
  h.flush();
  t.same(h.aborts, ['timeout']);
  t.equal(h.state(), 'reset');
  t.end();
});

test('drain lets the exchange end and says close', t => {
  const h = harness();
  h.send(GET);
  h.server.drain();
  h.flush();
  t.equal(h.state(), 'open');
  h.exchanges[0]?.sendResponse({ status: 200, headers: [], contentLength: 0 }, true);
  h.flush();
  t.match(h.output(), /connection: close/);
  t.equal(h.state(), 'ended');
  t.end();
});

test('drain leaves an idle connection: a request may be on its way, is served, and hears of the end', t => {
  const h = harness();
  h.server.drain();
  h.flush();
  t.equal(h.state(), 'open');
  h.send(GET);
  h.exchanges[0]?.sendResponse({ status: 200, headers: [], contentLength: 0 }, true);
  h.flush();
  t.match(h.output(), /connection: close/);
  t.equal(h.state(), 'ended');
  t.end();
});

test('drain leaves a connection whose last response did not say that it ends', t => {
  const h = harness();
  h.send(GET);
  const [exchange] = h.exchanges;
  exchange?.sendResponse({ status: 200, headers: [], contentLength: 1 }, false);
  h.server.drain();
  exchange?.sendBody(Buffer.from('x'));
  exchange?.endBody();
  h.flush();
  t.notMatch(h.output(), /connection: close/);
  t.equal(h.state(), 'open');
  h.server.endIdle();
  h.flush();
  t.equal(h.state(), 'ended');
  t.end();
});

test('the end of idle connections comes after the response where one is under way', t => {
  const h = harness();
  h.send(GET);
  h.server.endIdle();
  h.flush();
  t.equal(h.state(), 'open');
  h.exchanges[0]?.sendResponse({ status: 200, headers: [], contentLength: 0 }, true);
  h.flush();
  t.match(h.output(), /connection: close/);
  t.equal(h.state(), 'ended');
  t.end();
});

test('a client that goes away cancels its exchange', t => {
  for (const how of ['end', 'abort'] as const) {
    const h = harness();
    h.send(GET);
    if (how === 'end') h.client.end();
    else h.server.onClose(undefined);
    h.flush();
    t.same(h.aborts, [how === 'end' ? 'cancelled' : 'connection_closed']);
    h.exchanges[0]?.sendResponse({ status: 200, headers: [], contentLength: 0 }, true);
    h.flush();
    t.equal(h.output(), '', 'a late answer goes nowhere');
  }
  t.end();
});

test('an abort before the response closes without an answer', t => {
  const h = harness();
  h.send(GET);
  h.exchanges[0]?.abort(new ExchangeError('reset', 'upstream'));
  h.flush();
  t.equal(h.output(), '');
  t.equal(h.state(), 'reset');
  t.end();
});

test('a sink that asks for a pause stops the reading', t => {
  const h = harness();
  h.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n');
  for (const part of ['a', 'b', 'c']) h.send(part);
  t.same(h.bodies, ['a', 'b'], 'the second asked for it');
  h.exchanges[0]?.resumeBody();
  h.flush();
  t.same(h.bodies, ['a', 'b', 'c']);
  t.end();
});

test('a client that does not read stops the response, and later requests', t => {
  const h = harness({}, 64);
  h.client.pause();
  h.send(GET + GET);
  h.exchanges[0]?.sendResponse({ status: 200, headers: [], contentLength: 100 }, false);
  t.equal(h.exchanges[0]?.sendBody(Buffer.alloc(50)), false);
  h.exchanges[0]?.sendBody(Buffer.alloc(50));
  h.exchanges[0]?.endBody();
  t.equal(h.exchanges.length, 1, 'the next request waits for the drain');
  h.client.resume();
  h.flush();
  t.equal(h.exchanges.length, 2);
  t.end();
});

test('a response that ends before the request leaves the connection usable when little is left', t => {
  const h = harness();
  h.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\na');
  h.exchanges.slice(0, 1).forEach(answerOk);
  h.send(`bcd${GET}`);
  t.equal(h.exchanges.length, 2);
  t.end();
});

test('a response that ends before a long request closes the connection', t => {
  const h = harness();
  h.send('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\na');
  h.exchanges.slice(0, 1).forEach(answerOk);
  h.send('x'.repeat(100_000));
  t.equal(h.state(), 'ended');
  t.end();
});

test('a body above the limit gets 413', t => {
  const limits = { ...serverOptions(new CoarseTimers(new FakeClock(), 1)).limits, maxBodyBytes: 4 };
  const declared = 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde';
  const chunks =
    'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n';
  for (const input of [declared, chunks]) {
    const { output, requests } = recordServer(input, { options: { limits } });
    t.match(output, /^HTTP\/1.1 413 /);
    t.notOk(requests.some(r => r.ended === 'end'));
  }
  t.end();
});

test('100 Continue and an interim response come before the final one', t => {
  const h = harness();
  h.send('POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
  const [exchange] = h.exchanges;
  exchange?.sendContinue();
  exchange?.sendContinue();
  exchange?.sendResponse({ status: 103, headers: ['link', '</a>'], contentLength: undefined }, false);
  h.send('hi');
  exchange?.sendResponse({ status: 200, headers: ['date', 'x'], contentLength: 0 }, true);
  h.flush();
  t.equal(
    h.output(),
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ndate: x\r\ncontent-length: 0\r\n\r\n',
  );
  t.end();
});

test('a broken chunk in the middle of a body aborts the sink and is answered', t => {
  const h = harness();
  h.send('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naX');
  t.same(h.aborts, ['protocol_error']);
  t.match(h.output(), /^HTTP\/1.1 400 /);
  t.end();
});
