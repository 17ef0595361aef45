import { test } from 'tap';
import type { ChannelError } from '../engine/channel.ts';
import { type ClientExchange, ExchangeError, type RequestHead } from '../http/exchange.ts';
import { CoarseTimers } from '../lifecycle/coarse-timers.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { type MemoryChannel, memoryChannelPair } from '../testing/memory-channel.ts';
import { Http1ClientConnection } from './client-connection.ts';

const GET: RequestHead = {
  method: 'GET',
  scheme: 'http',
  authority: 'h',
  path: '/',
  headers: ['a', 'b'],
  protocol: 'HTTP/1.1',
  upgrade: undefined,
  contentLength: 0,
  expectContinue: false,
};
const POST: RequestHead = { ...GET, method: 'POST', contentLength: undefined, headers: [] };
const WEBSOCKET: RequestHead = { ...GET, upgrade: 'websocket', contentLength: undefined, headers: [] };
const CONNECT: RequestHead = {
  ...GET,
  method: 'CONNECT',
  authority: 'h:1',
  path: '',
  contentLength: undefined,
  headers: [],
};

interface Client {
  readonly connection: Http1ClientConnection;
  readonly server: MemoryChannel;
  readonly clock: FakeClock;
  /** Everything the sinks were told, one line an event; bodies joined. */
  readonly events: string[];
  sent(): string;
  request(head: RequestHead, endStream?: boolean): ClientExchange;
  answer(text: string): void;
  flush(): void;
}

function client(fragment?: () => number): Client {
  const pair = memoryChannelPair(fragment === undefined ? {} : { fragment });
  const events: string[] = [];
  let sent = '';
  pair.right.setHandler({
    onData: slice => {
      sent += slice.toString('latin1');
    },
    onEnd: () => events.push('server: end'),
    onDrain: () => {},
    onClose: (error: ChannelError | undefined) =>
      events.push(`server: ${error === undefined ? 'close' : 'reset'}`),
  });
  const clock = new FakeClock();
  const connection = new Http1ClientConnection(pair.left, new CoarseTimers(clock, 100), {
    onIdle: () => events.push('idle'),
    onClose: () => events.push('closed'),
  });
  const flush = (): void => pair.flush();
  return {
    connection,
    server: pair.right,
    clock,
    events,
    sent: () => sent,
    request(head, endStream = head.contentLength === 0) {
      const exchange = connection.request(head, endStream, recorder(events));
      flush();
      return exchange;
    },
    answer(text) {
      pair.right.write(Buffer.from(text, 'latin1'));
      flush();
    },
    flush,
  };
}

function recorder(events: string[]) {
  let body = '';
  return {
    onInformational: (head: { status: number }) => void events.push(`${head.status}`),
    onResponse: (
      head: { status: number; headers: string[]; contentLength: number | undefined },
      end: boolean,
    ) =>
      void events.push(
        `${head.status} ${head.headers.join(',')} ${head.contentLength ?? '-'}${end ? ' end' : ''}`,
      ),
    onBody(slice: Buffer) {
      body += slice.toString('latin1');
      return true;
    },
    onBodyEnd: (trailers: string[]) => void events.push(`body=${body} trailers=${trailers.join(',')}`),
    onAbort: (error: ExchangeError) => void events.push(`abort ${error.code}`),
    onWritable: () => {},
  };
}

interface Row {
  readonly sentence: string;
  readonly head?: RequestHead;
  readonly answer: string;
  readonly events: readonly string[];
}

const REFUSED = ['closed', 'abort protocol_error', 'server: reset'];

const ROWS: readonly Row[] = [
  {
    sentence: 'a response with a length leaves the connection idle',
    answer: 'HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 2\r\n\r\nok',
    events: ['200 x,1 2', 'idle', 'body=ok trailers='],
  },
  {
    sentence: 'a response of length 0 has ended with its head',
    answer: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    events: ['200  0 end', 'idle', 'body= trailers='],
  },
  {
    sentence: 'a chunked response brings its trailers',
    answer:
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\nt: 1\r\nhost: x\r\n\r\n',
    events: ['200  -', 'idle', 'body=ok! trailers=t,1'],
  },
  {
    sentence: 'Connection: close is obeyed',
    answer: 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    events: ['200  2', 'closed', 'body=ok trailers=', 'server: end'],
  },
  {
    sentence: 'HTTP/1.0 is closed',
    answer: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    events: ['200  2', 'closed', 'body=ok trailers=', 'server: end'],
  },
  {
    sentence: 'HTTP/1.0 that says keep-alive is kept',
    answer: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
    events: ['200  2', 'idle', 'body=ok trailers='],
  },
  {
    sentence: 'HEAD has no body whatever it declares',
    head: { ...GET, method: 'HEAD' },
    answer: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
    events: ['200  5 end', 'idle', 'body= trailers='],
  },
  {
    sentence: '204 has no body whatever it declares',
    answer: 'HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n',
    events: ['204  - end', 'idle', 'body= trailers='],
  },
  {
    sentence: '304 has no body whatever it declares',
    answer: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    events: ['304  5 end', 'idle', 'body= trailers='],
  },
  {
    sentence: 'interim responses come first',
    answer:
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n',
    events: ['100', '103', '200  0 end', 'idle', 'body= trailers='],
  },
  {
    sentence: 'bytes behind a response make the connection unusable',
    answer: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n',
    events: ['200  0 end', 'closed', 'body= trailers=', 'server: end'],
  },
  {
    sentence: '101 to the protocol asked for becomes bytes',
    head: WEBSOCKET,
    answer: 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\nraw',
    events: ['101  -'],
  },
  {
    sentence: '101 to another protocol is refused',
    head: WEBSOCKET,
    answer: 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\nraw',
    events: ['closed', 'abort protocol_error', 'server: reset'],
  },
  {
    sentence: '101 that nobody asked for is refused',
    answer: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nraw',
    events: ['closed', 'abort protocol_error', 'server: reset'],
  },
  {
    sentence: 'a declined upgrade leaves the connection idle',
    head: WEBSOCKET,
    answer: 'HTTP/1.1 400 Bad Request\r\nContent-Length: 1\r\n\r\nx',
    events: ['400  1', 'idle', 'body=x trailers='],
  },
  {
    sentence: '2xx to CONNECT becomes bytes',
    head: CONNECT,
    answer: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nraw',
    events: ['200  -'],
  },
  ...['Transfer-Encoding: chunked', 'Content-Length: 0', 'Connection: close', 'Content-Length: 3'].map(
    field => ({
      sentence: `2xx to CONNECT becomes bytes, whatever ${field} would mean`,
      head: CONNECT,
      answer: `HTTP/1.0 200 Connection established\r\n${field}\r\n\r\n0\r\n\r\nraw`,
      events: field.startsWith('Transfer') ? REFUSED : ['200  -'],
    }),
  ),
  {
    sentence: 'chunked in a 2xx to CONNECT means nothing either',
    head: CONNECT,
    answer: 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nraw',
    events: ['204  -'],
  },
  {
    sentence: 'a CONNECT that is refused leaves the connection idle, its body read',
    head: CONNECT,
    answer: 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 1\r\n\r\nx',
    events: ['407  1', 'idle', 'body=x trailers='],
  },
  {
    sentence: 'a CONNECT is answered by no 101',
    head: CONNECT,
    answer: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nraw',
    events: REFUSED,
  },
  ...[
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na'],
    ['length and chunked', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na'],
    ['an unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\na'],
    ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status out of range', 'HTTP/1.1 600 OK\r\n\r\n'],
    ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n'],
    ['a blank before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
    ['interim responses without end', 'HTTP/1.1 103 \r\n\r\n'.repeat(40)],
    ['a head above the limit', `HTTP/1.1 200 OK\r\na: ${'a'.repeat(100_000)}\r\n\r\n`],
  ].map(([what = '', answer = '']) => ({
    sentence: `a response is refused with ${what}`,
    answer,
    events: [
      ...(what.startsWith('interim') ? Array<string>(32).fill('103') : []),
      'closed',
      'abort protocol_error',
      'server: reset',
    ],
  })),
];

for (const row of ROWS) {
  test(row.sentence, t => {
    for (let size = 0; size < 9; size++) {
      const c = client(size === 0 ? undefined : () => size);
      c.request(row.head ?? GET);
      c.answer(row.answer);
      // How much of a surplus had arrived when the response ended depends on the pieces; the outcome does not.
      if (row.sentence.startsWith('bytes behind') && size > 0) t.notOk(c.connection.idle);
      else t.same(c.events, row.events, `in pieces of ${size}`);
    }
    t.end();
  });
}

test('a request is written with its framing, fields of the codec left out', t => {
  const rows: readonly (readonly [RequestHead, string])[] = [
    [GET, 'GET / HTTP/1.1\r\nhost: h\r\na: b\r\n\r\n'],
    [{ ...GET, path: '' }, 'GET / HTTP/1.1\r\nhost: h\r\na: b\r\n\r\n'],
    [{ ...POST, contentLength: 0 }, 'POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n'],
    [{ ...POST, contentLength: 3 }, 'POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\n'],
    [POST, 'POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n'],
    [
      { ...POST, expectContinue: true },
      'POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n',
    ],
    [WEBSOCKET, 'GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'],
    [CONNECT, 'CONNECT h:1 HTTP/1.1\r\nhost: h:1\r\n\r\n'],
    [
      { ...GET, headers: ['host', 'x', 'connection', 'y', 'te', 'z', 'content-length', '9'] },
      'GET / HTTP/1.1\r\nhost: h\r\n\r\n',
    ],
  ];
  for (const [head, bytes] of rows) {
    const c = client();
    c.request(head);
    t.equal(c.sent(), bytes);
  }
  t.end();
});

test('a head that cannot be sent is refused before anything is sent', t => {
  for (const bad of [
    { path: '/a b' },
    { path: '/a\r\nx: y' },
    { headers: ['x', 'a\nb'] },
    { headers: ['x y', 'a'] },
    { authority: 'a\r\n' },
  ]) {
    const c = client();
    t.throws(() => c.request({ ...GET, ...bad }), { code: 'protocol_error' });
    t.equal(c.sent(), '');
    t.ok(c.connection.idle);
  }
  t.end();
});

test('body, trailers and reuse', t => {
  const c = client();
  const exchange = c.request(POST);
  exchange.sendBody(Buffer.from('abc'));
  exchange.endBody(['t', '1', 'host', 'x']);
  c.flush();
  t.match(c.sent(), /chunked\r\n\r\n3\r\nabc\r\n0\r\nt: 1\r\n\r\n$/);
  c.answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  t.ok(c.connection.idle);
  c.request(GET);
  c.answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  t.equal(c.connection.requests, 2);
  exchange.abort(new ExchangeError('cancelled', 'late'));
  t.ok(c.connection.idle, 'a late abort of the first does not touch the connection');
  t.end();
});

test('a busy or closed connection refuses a request', t => {
  const c = client();
  c.request(GET);
  t.throws(() => c.request(GET), { code: 'refused_before_sending' });
  c.answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  c.connection.close();
  t.throws(() => c.request(GET), { code: 'refused_before_sending' });
  c.flush();
  t.same(c.events.slice(-2), ['closed', 'server: end']);
  c.clock.advance(6_000);
  c.flush();
  t.equal(c.events.at(-1), 'server: reset', 'a server that does not close is not waited for');
  // The tick that finds nothing left.
  c.clock.advance(100);
  t.equal(c.clock.pendingTimers, 0);
  t.end();
});

test('a connection lost before a response is told from one lost within', t => {
  const rows = [
    ['', 'abort connection_closed'],
    ['HTTP', 'abort reset'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab', 'abort reset'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n', 'abort reset'],
  ] as const;
  for (const [answer, last] of rows) {
    const c = client();
    c.request(GET);
    if (answer !== '') c.answer(answer);
    c.server.end();
    c.flush();
    t.ok(c.events.includes(last), `${answer}: ${c.events.join('; ')}`);
  }
  t.end();
});

test('what was closed before anything of the request left may be sent again, whatever it is', t => {
  const c = client();
  c.server.end();
  const exchange = c.request(POST, false);
  exchange.sendBody(Buffer.from('body'));
  exchange.endBody();
  // The end of the server was there first.
  c.connection.onEnd();
  t.ok(c.events.includes('abort refused_before_sending'), c.events.join('; '));
  const other = client();
  const half = other.request(POST, false);
  other.flush();
  half.sendBody(Buffer.from('body'));
  other.connection.onEnd();
  t.ok(other.events.includes('abort connection_closed'), 'the head has left, the body has not');
  c.clock.advance(6_000);
  other.clock.advance(6_000);
  t.end();
});

test('a body without length ends with the connection', t => {
  const c = client();
  c.request(GET);
  c.answer('HTTP/1.1 200 OK\r\n\r\nall of it');
  c.server.end();
  c.flush();
  t.same(c.events.slice(0, 3), ['200  -', 'closed', 'body=all of it trailers=']);
  t.end();
});

test('an idle connection that the server writes to or closes is given up', t => {
  for (const how of ['bytes', 'end'] as const) {
    const c = client();
    if (how === 'bytes') c.answer('HTTP/1.1 408 Request Timeout\r\n\r\n');
    else c.server.end();
    c.flush();
    t.equal(c.events[0], 'closed');
  }
  t.end();
});

test('an answer before the end of the request is delivered and the connection given up', t => {
  const c = client();
  const exchange = c.request(POST);
  exchange.sendBody(Buffer.from('abc'));
  c.answer('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n');
  t.same(c.events, ['413  0 end', 'closed', 'body= trailers=', 'server: reset']);
  t.equal(exchange.sendBody(Buffer.from('more')), true);
  t.end();
});

test('a tunnel is half-closed either way and closes without an abort', t => {
  const c = client();
  const exchange = c.request(CONNECT);
  c.answer('HTTP/1.1 200 OK\r\n\r\nraw');
  exchange.sendBody(Buffer.from('up'));
  exchange.endBody();
  c.flush();
  c.server.end();
  c.flush();
  t.same(c.events.slice(0, 3), ['200  -', 'server: end', 'body=raw trailers=']);
  t.same(c.events.slice(3).toSorted(), ['closed', 'server: close']);
  t.match(c.sent(), /\r\n\r\nup$/);
  t.end();
});

test('a sink that asks for a pause stops the reading, and the end of the exchange lifts it', t => {
  const c = client();
  const events: string[] = [];
  const exchange = c.connection.request(GET, true, {
    ...recorder(events),
    onBody: slice => events.push(slice.toString()) < 1,
  });
  c.answer('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
  c.answer('cd');
  t.same(events, ['200  4', 'ab']);
  exchange.resumeBody();
  c.flush();
  t.same(events.slice(0, 3), ['200  4', 'ab', 'cd']);
  t.ok(c.connection.idle);
  t.end();
});
