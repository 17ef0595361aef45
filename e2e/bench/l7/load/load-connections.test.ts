import fc from 'fast-check';
import { test } from 'tap';
import type { ByteChannel } from '#shared/engine/channel.ts';
import { Http2Connection } from '#shared/http2/connection.ts';
import type { Http2Stream } from '#shared/http2/stream.ts';
import { ErrorCode } from '#shared/http2/error-code.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { memoryChannelPair } from '#shared/testing/memory-channel.ts';
import { answerHttp1 } from '../answer-http1.ts';
import { answerHttp2 } from '../answer-http2.ts';
import { BODIES, PROTOCOLS, type Protocol } from '../plan.ts';
import { RunMeter } from './run-meter.ts';
import { newConnection } from './run-load.ts';

interface Run {
  readonly protocol: Protocol;
  readonly body: (typeof BODIES)[number];
  readonly streams: number;
  readonly answers: number;
  readonly fragment?: (available: number) => number;
}

interface Outcome {
  readonly total: number;
  readonly measured: number;
  /** What the connection ended with; 'open' when it did not end. */
  readonly end: string | undefined;
}

/** Lets one connection ask an endpoint until so many answers were measured. */
function run(
  { protocol, body, streams, answers, fragment }: Run,
  serve: (channel: ByteChannel) => void,
): Outcome {
  const pair = memoryChannelPair(fragment === undefined ? {} : { fragment });
  let now = 0;
  const meter: RunMeter = new RunMeter(() => {
    if (meter.latency.total >= answers) meter.end();
    return ++now;
  });
  const deferred: (() => void)[] = [];
  let end: string | undefined = 'open';
  const spec = { protocol, rules: 1, body, connections: 1, streams, seconds: 1 } as const;
  newConnection(spec, 'bench', {
    channel: pair.left,
    meter,
    defer: fn => deferred.push(fn),
    onClosed: fault => (end = fault),
  }).begin();
  serve(pair.right);
  while (pair.step() || deferred.length > 0) for (const fn of deferred.splice(0)) fn();
  return { total: meter.total, measured: meter.latency.total, end };
}

function endpointFor(protocol: Protocol): (channel: ByteChannel) => void {
  if (protocol === 'h1') return answerHttp1;
  return channel => answerHttp2(channel, protocol === 'grpc' ? 'grpc' : 'http');
}

for (const protocol of PROTOCOLS) {
  for (const body of BODIES) {
    test(`${protocol}, ${body}: each answer makes room for one request more, until the run is over`, async t => {
      const streams = protocol === 'h1' ? 1 : 10;
      const { total, measured, end } = run({ protocol, body, streams, answers: 100 }, endpointFor(protocol));
      t.equal(end, undefined, 'the connection ended in order');
      t.equal(measured, 100);
      t.equal(total, measured + streams, 'what was under way at the end was awaited');
    });
  }

  test(`${protocol}: however bytes are cut, every answer is counted`, t => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 }),
        fc.constantFrom(...BODIES),
        fc.integer({ min: 1, max: 12 }),
        (cuts, body, wanted) => {
          const streams = protocol === 'h1' ? 1 : wanted;
          let at = 0;
          const fragment = (available: number): number => Math.min(available, cuts[at++ % cuts.length] ?? 1);
          const { total, end } = run(
            { protocol, body, streams, answers: 3, fragment },
            endpointFor(protocol),
          );
          if (end !== undefined || total < 4) throw new Error(`${total} answers, then ${end}`);
        },
      ),
      fuzzRun(3),
    );
    t.end();
  });
}

type Answer = (stream: Http2Stream) => void;

/** A server of ours, which holds its peer to every rule of HTTP/2. */
function serveWith(answer: Answer): (channel: ByteChannel) => void {
  return channel => {
    new Http2Connection(
      'server',
      channel,
      new FakeClock(0),
      {},
      {
        onStream: stream => ({
          onHeaders: () => undefined,
          onData: slice => stream.consume(slice.length),
          onEnd: () => answer(stream),
          onReset: () => undefined,
          onDrain: () => undefined,
        }),
        onGoaway: () => undefined,
        onCapacity: () => undefined,
        onClose: () => undefined,
      },
    );
  };
}

const OK = [':status', '200', 'content-type', 'text/plain'];
const KILOBYTE = Buffer.alloc(1024);

test('a server that holds its peers to the rules finds nothing to complain of', async t => {
  for (const protocol of ['h2', 'grpc'] as const) {
    const answer: Answer = stream => {
      stream.sendHeaders(OK, false);
      stream.sendData(KILOBYTE, protocol === 'h2');
      if (protocol === 'grpc') stream.sendTrailers(['grpc-status', '0']);
    };
    const { end, total } = run({ protocol, body: '1 KB', streams: 10, answers: 2000 }, serveWith(answer));
    t.equal(end, undefined);
    t.ok(total > 2000, 'more requests with a body than the first window of the connection holds');
  }
});

test('an answer that was not asked for ends the run, with what it was', async t => {
  const rows: readonly (readonly [name: string, protocol: Protocol, answer: Answer, end: RegExp])[] = [
    ['a status', 'h2', stream => stream.sendHeaders([':status', '503'], true), /answered 503/],
    [
      'a short body',
      'h2',
      stream => {
        stream.sendHeaders(OK, false);
        stream.sendData(Buffer.alloc(1000), true);
      },
      /1000 bytes where 1024/,
    ],
    ['no body', 'h2', stream => stream.sendHeaders(OK, true), /0 bytes where 1024/],
    ['a reset', 'h2', stream => stream.reset(ErrorCode.REFUSED_STREAM), /reset with code 7/],
    [
      'a failed call',
      'grpc',
      stream => {
        stream.sendHeaders(OK, false);
        stream.sendData(KILOBYTE, false);
        stream.sendTrailers(['grpc-status', '14']);
      },
      /grpc-status 14/,
    ],
    [
      'a call without trailers',
      'grpc',
      stream => {
        stream.sendHeaders(OK, false);
        stream.sendData(KILOBYTE, true);
      },
      /without trailers/,
    ],
    [
      'trailers alone',
      'grpc',
      stream => stream.sendHeaders([...OK, 'grpc-status', '12'], true),
      /grpc-status 12/,
    ],
  ];
  for (const [name, protocol, answer, end] of rows)
    t.match(run({ protocol, body: '1 KB', streams: 3, answers: 10 }, serveWith(answer)).end, end, name);
});

test('a connection that ends early is no end of a run', async t => {
  for (const protocol of PROTOCOLS) {
    const silent = (channel: ByteChannel): void =>
      channel.setHandler({
        onData: () => channel.end(),
        onEnd: () => undefined,
        onDrain: () => undefined,
        onClose: () => undefined,
      });
    const { end, total } = run({ protocol, body: '1 KB', streams: 1, answers: 10 }, silent);
    t.match(end, /ended before its answer/);
    t.equal(total, 0);
  }
});

test('a path that nobody knows is answered with 404', async t => {
  const pair = memoryChannelPair();
  const statuses: string[] = [];
  const client = new Http2Connection(
    'client',
    pair.left,
    new FakeClock(0),
    {},
    {
      onStream: () => {
        throw new Error('a server opened a stream');
      },
      onGoaway: () => undefined,
      onCapacity: () => undefined,
      onClose: () => undefined,
    },
  );
  answerHttp2(pair.right, 'http');
  for (const path of ['/body/1k', '/nothing']) {
    const fields = [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', path];
    client.openStream(fields, true, {
      onHeaders: head => void statuses.push(head[1] ?? ''),
      onData: () => undefined,
      onEnd: () => undefined,
      onReset: () => undefined,
      onDrain: () => undefined,
    });
  }
  pair.flush();
  t.same(statuses, ['200', '404']);
});
