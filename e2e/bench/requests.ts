/**
 * What a request costs one thread of a waypoint, without sockets and TLS: `node e2e/bench/requests.ts h1|h2|grpc [RUNS]`. Client and
 * endpoint are on memory channels of the same thread, so that what they need is in the figure; compare figures of one machine. Prints CPU
 * seconds per 100k requests of each run.
 */
import { ChannelError } from '#shared/engine/channel.ts';
import type { Engine, TcpChannel } from '#shared/engine/engine.ts';
import { Http2Connection } from '#shared/http2/connection.ts';
import type { Http2StreamHandler } from '#shared/http2/stream.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { createLogger, LogLevels } from '#shared/observability/logger.ts';
import { type MemoryChannel, memoryChannelPair } from '#shared/testing/memory-channel.ts';
import { routeRule } from '#shared/testing/route.ts';
import { delta, endpointOf, noRoutes, service, workload } from '#shared/testing/topology.ts';
import { testSettings } from '../../src/waypoint/testing/settings.ts';
import { TrafficThread } from '../../src/waypoint/workers/traffic-thread.ts';
import { grpcMessage } from './l7/answer-body.ts';
import { answerHttp1 } from './l7/answer-http1.ts';
import { answerHttp2 } from './l7/answer-http2.ts';
import { pathOf } from './l7/address-plan.ts';
import { PROTOCOLS, type Protocol } from './l7/plan.ts';

const REQUESTS = 100_000;
const CONNECTIONS = 32;
const STREAMS = 10;
const clock = systemClock;
const protocol = PROTOCOLS.find(name => name === process.argv[2]) ?? 'h2';
const runs = Number(process.argv[3] ?? 5);
const APP_PROTOCOLS = { h1: 'http11', h2: 'http2', grpc: 'grpc' } as const satisfies Record<Protocol, string>;
const ECHO = {
  ...service('echo'),
  ports: [{ servicePort: 80, targetPort: 8080, appProtocol: APP_PROTOCOLS[protocol] }],
};
const NAME = 'default/echo.default.svc.cluster.local';

/** As many bytes as are written, thrown away: what the kernel does with a log is not measured here. */
const writer = {
  bytes: 0,
  writeLine: (line: string) => void (writer.bytes += line.length),
  writeBytes: (_: Buffer, length: number) => void (writer.bytes += length),
};
let accept: ((channel: TcpChannel) => void) | undefined;

const noTls = (): never => {
  throw new ChannelError('tls_handshake', 'there is no TLS here');
};
const engine: Engine = {
  name: 'node',
  listen(_target, onAccept) {
    accept = onAccept;
    return Promise.resolve({ address: { ip: '127.0.0.1', port: 1 }, close: () => Promise.resolve() });
  },
  connect() {
    const { left, right } = memoryChannelPair({ auto: true });
    if (protocol === 'h1') answerHttp1(right);
    else answerHttp2(right, protocol === 'grpc' ? 'grpc' : 'http');
    return Promise.resolve(Object.assign(left, { fd: -1 }));
  },
  secureServer: noTls,
  secureClient: noTls,
  secureClientOver: noTls,
  createTlsContext: noTls,
  createForeignTlsContext: noTls,
};

const thread = new TrafficThread({
  engine,
  clock,
  random: Math.random,
  settings: {
    ...testSettings,
    plaintext: { ip: '127.0.0.1', port: 0, service: NAME, servicePort: 80 },
  },
  logger: createLogger({
    scope: 'waypoint',
    levels: new LogLevels('error'),
    format: 'text',
    writer,
    now: () => clock.now(),
  }),
  logFormat: 'text',
  logWriter: writer,
  thread: 0,
  emit: () => undefined,
});
const backends = [{ weight: 1, service: NAME, port: 80, subset: undefined, filters: [] }];
thread.apply(
  delta({
    services: [ECHO],
    workloads: [
      workload('echo-0', { addresses: ['10.0.0.1'], tunnelProtocol: 'none', services: endpointOf(ECHO) }),
    ],
    routes: [{ ...noRoutes(ECHO), routed: true, rules: [routeRule({ backends })] }],
  }),
);
await thread.listen();

/** Resolves when its share of the requests has been answered. */
type Client = (requests: number) => Promise<void>;

function connectClient(): MemoryChannel {
  const { left, right } = memoryChannelPair({ auto: true });
  accept?.(Object.assign(right, { fd: -1 }));
  return left;
}

function http1Client(): Client {
  const channel = connectClient();
  const request = Buffer.from(`GET ${pathOf('1 KB')} HTTP/1.1\r\nHost: echo\r\nUser-Agent: bench\r\n\r\n`);
  let left = 0;
  let missing = 0;
  let done: () => void = () => undefined;
  channel.setHandler({
    onData: slice => {
      // The body is whole when as much as the first answer had has come.
      missing = missing > 0 ? missing : slice.length;
      missing -= slice.length;
      if (missing > 0) return;
      if (--left > 0) channel.write(request);
      else done();
    },
    onEnd: () => undefined,
    onDrain: () => undefined,
    onClose: () => undefined,
  });
  return requests => {
    left = requests;
    return new Promise(resolve => {
      done = resolve;
      channel.write(request);
    });
  };
}

function http2Client(): Client {
  const connection = new Http2Connection(
    'client',
    connectClient(),
    clock,
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
  const grpc = protocol === 'grpc' ? ['content-type', 'application/grpc', 'te', 'trailers'] : [];
  const method = protocol === 'grpc' ? 'POST' : 'GET';
  const head = [':method', method, ':scheme', 'http', ':authority', 'echo', ':path', pathOf('1 KB')];
  const fields = [...head, 'user-agent', 'bench', ...grpc];
  const message = grpcMessage(128);
  return requests =>
    new Promise(resolve => {
      let started = 0;
      let answered = 0;
      const ask = (): void => {
        if (started++ >= requests) return;
        const handler: Http2StreamHandler = {
          onHeaders: () => undefined,
          onData: slice => stream?.consume(slice.length),
          onEnd: () => {
            if (++answered === requests) resolve();
            else ask();
          },
          onReset: reset => {
            throw new Error(reset.message);
          },
          onDrain: () => undefined,
        };
        const stream = connection.openStream(fields, protocol !== 'grpc', handler);
        if (stream === undefined) throw new Error('no stream could be opened');
        if (protocol === 'grpc') stream.sendData(message, true);
      };
      for (let i = 0; i < STREAMS; i++) ask();
    });
}

const clients = Array.from({ length: CONNECTIONS }, protocol === 'h1' ? http1Client : http2Client);
for (let run = 0; run <= runs; run++) {
  const before = process.cpuUsage();
  await Promise.all(clients.map(client => client(REQUESTS / CONNECTIONS)));
  const { system, user } = process.cpuUsage(before);
  // The first one warms up.
  if (run > 0) console.log(((system + user) / 1e6).toFixed(2));
}
process.exit(0);
