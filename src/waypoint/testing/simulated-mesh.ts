import { lineWriter } from '#shared/testing/line-writer.ts';
import { ChannelError } from '#shared/engine/channel.ts';
import type { ConnectTarget, Engine, TcpChannel } from '#shared/engine/engine.ts';
import { createLogger, LogLevels } from '#shared/observability/logger.ts';
import type { RouteRule, ServiceRoutes } from '#shared/route/model.ts';
import type { TrafficPolicy } from '#shared/route/traffic-policy.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { memoryChannelPair } from '#shared/testing/memory-channel.ts';
import { delta, endpointOf, noRoutes, service, workload } from '#shared/testing/topology.ts';
import { routeRule } from '#shared/testing/route.ts';
import type { MeshDelta } from '#shared/workload/mesh-view.ts';
import type { Workload } from '#shared/workload/workload.ts';
import type { TrafficSettings } from '../workers/settings.ts';
import { TrafficThread } from '../workers/traffic-thread.ts';
import { testSettings } from './settings.ts';

/** What an endpoint does with a connection or a request. */
export type Conduct =
  | 'ok'
  /** Answers 503. */
  | 'fail'
  /** Takes the request and never answers. */
  | 'hang'
  | 'reset'
  /** Nobody listens. */
  | 'refuse'
  /** Packets to it are lost. */
  | 'vanish'
  /** Answers 200 to a CONNECT, and sends back what comes then. */
  | 'tunnel'
  /** The same, but never ends its own direction. */
  | 'open_tunnel'
  /** Answers after so many ms, or fails then. */
  | { readonly afterMs: number; readonly fails?: true };

/** One application instance of the simulated service. */
export class SimulatedEndpoint {
  readonly workload: Workload;
  conduct: Conduct = 'ok';
  /** Further fields of the heads of its answers; each ends with CRLF. */
  fields = '';
  /** Requests that reached it, ever. */
  requests = 0;
  /** Of requests that had one. */
  readonly bodies: string[] = [];
  /** Connections that were tried. */
  dials = 0;
  /** Connections, and the requests under way on each. */
  readonly open = new Map<TcpChannel, number>();

  constructor(name: string, ip: string) {
    this.workload = workload(name, {
      addresses: [ip],
      tunnelProtocol: 'none',
      services: endpointOf(ECHO),
      node: name,
    });
  }

  /** The process ends in order: it listens no more, closes what is idle, and answers what it has taken. */
  stop(): void {
    this.conduct = 'refuse';
    for (const [channel, underWay] of this.open) if (underWay === 0) channel.end();
  }

  /** The process ends: its connections are reset, and nobody listens any more. */
  kill(): void {
    this.conduct = 'refuse';
    for (const channel of this.open.keys()) channel.abort(new ChannelError('reset', 'the process is gone'));
  }
}

export interface SimulatedAnswer {
  /** The head of the response, as far as it has come. */
  text: string;
  /** 0: the connection ended without an answer. Undefined: none yet. */
  status: number | undefined;
  /** The client's connection is over. */
  isClosed: boolean;
  /** The client gives up. */
  readonly leave: () => void;
  readonly send: (bytes: string) => void;
  /** Of the client's direction. */
  readonly end: () => void;
}

const ECHO = {
  ...service('echo'),
  ports: [{ servicePort: 80, targetPort: 8080, appProtocol: 'http11' as const }],
};
const NAME = 'default/echo.default.svc.cluster.local';
const HEAD_END = '\r\n\r\n';

/**
 * A whole traffic thread of a waypoint between simulated clients and endpoints, on memory channels and a clock that moves when
 * told: every run of an experiment is the same, and hours of it take moments.
 */
export class SimulatedMesh {
  readonly clock = new FakeClock();
  readonly endpoints: readonly SimulatedEndpoint[];
  readonly thread: TrafficThread;
  readonly lines: string[] = [];
  #accept: ((channel: TcpChannel) => void) | undefined;
  #seed = 1;

  constructor(count: number, settings: Partial<TrafficSettings> = {}) {
    this.endpoints = Array.from(
      { length: count },
      (_, i) => new SimulatedEndpoint(`echo-${i}`, `10.0.0.${i + 1}`),
    );
    const { clock } = this;
    const writer = lineWriter(line => void this.lines.push(line));
    this.thread = new TrafficThread({
      engine: this.#engine(),
      clock,
      random: () => this.#random(),
      settings: {
        ...testSettings,
        plaintext: { ip: '127.0.0.1', port: 0, service: NAME, servicePort: 80 },
        ...settings,
      },
      logger: createLogger({
        scope: 'waypoint',
        levels: new LogLevels('warn'),
        format: 'text',
        writer,
        now: () => clock.now(),
      }),
      logFormat: 'text',
      logWriter: writer,
      thread: 0,
      emit: () => undefined,
    });
  }

  static async create(
    count: number,
    config: {
      policy?: Partial<TrafficPolicy>;
      rule?: Partial<RouteRule>;
      settings?: Partial<TrafficSettings>;
    } = {},
  ): Promise<SimulatedMesh> {
    const mesh = new SimulatedMesh(count, config.settings);
    const routes = noRoutes(ECHO);
    const backends = [{ weight: 1, service: NAME, port: 80, subset: undefined, filters: [] }];
    const routed: Partial<ServiceRoutes> =
      config.rule === undefined ? {} : { routed: true, rules: [routeRule({ backends, ...config.rule })] };
    mesh.apply({
      services: [ECHO],
      workloads: mesh.endpoints.map(endpoint => endpoint.workload),
      routes: [{ ...routes, ...routed, trafficPolicy: { ...routes.trafficPolicy, ...config.policy } }],
    });
    await mesh.thread.listen();
    return mesh;
  }

  apply(change: Partial<MeshDelta>): void {
    this.thread.apply(delta(change));
  }

  /** Sends `count` requests, each on a connection of its own, with `fields` (each ends with CRLF) in their heads, and lets everything happen that takes no time. */
  async send(count: number, fields = '', body = ''): Promise<SimulatedAnswer[]> {
    const method = body === '' ? 'GET' : 'POST';
    const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
    const head = `${method} / HTTP/1.1\r\nHost: echo\r\n${fields}${length}Connection: close${HEAD_END}`;
    const answers = Array.from({ length: count }, () => this.#ask(head + body));
    await this.settle();
    return answers;
  }

  async connect(authority: string): Promise<SimulatedAnswer> {
    const answer = this.#ask(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}${HEAD_END}`);
    await this.settle();
    return answer;
  }

  /** `count` requests every `everyMs`, `rounds` times. */
  async load(rounds: number, count: number, everyMs: number): Promise<SimulatedAnswer[]> {
    const answers: SimulatedAnswer[] = [];
    for (let round = 0; round < rounds; round++) {
      answers.push(...(await this.send(count)));
      await this.pass(everyMs);
    }
    return answers;
  }

  /** Time passes, in steps that let answers cause what they cause. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.clock.advance(Math.min(STEP_MS, left));
      await this.settle();
    }
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) await new Promise(resolve => setImmediate(resolve));
  }

  close(): void {
    this.thread.close(new ChannelError('drain', 'the experiment is over'));
  }

  #ask(bytes: string): SimulatedAnswer {
    const { left: client, right: server } = memoryChannelPair({ auto: true });
    const leave = (): void => client.abort(new ChannelError('aborted', 'the client has enough'));
    const send = (more: string): void => void client.write(Buffer.from(more));
    const answer: SimulatedAnswer = {
      status: undefined,
      text: '',
      isClosed: false,
      leave,
      send,
      end: () => client.end(),
    };
    client.setHandler({
      onData: slice => {
        answer.text += slice.toString('latin1');
        if (answer.text.includes(HEAD_END)) answer.status ??= Number(answer.text.slice(9, 12));
      },
      onEnd: () => client.end(),
      onDrain: () => undefined,
      onClose: () => {
        answer.status ??= 0;
        answer.isClosed = true;
      },
    });
    this.#accept?.(Object.assign(server, { fd: -1 }));
    send(bytes);
    return answer;
  }

  #engine(): Engine {
    const noTls = (): never => {
      throw new ChannelError('tls_handshake', 'the simulation has no TLS');
    };
    return {
      name: 'node',
      listen: (_target, onAccept) => {
        this.#accept = onAccept;
        return Promise.resolve({ address: { ip: '127.0.0.1', port: 1 }, close: () => Promise.resolve() });
      },
      connect: target => this.#connect(target),
      secureServer: noTls,
      secureClient: noTls,
      secureClientOver: noTls,
      createTlsContext: noTls,
      createForeignTlsContext: noTls,
    };
  }

  #connect({ remote, timeoutMs }: ConnectTarget): Promise<TcpChannel> {
    const endpoint = this.endpoints.find(({ workload: { addresses } }) => addresses[0] === remote.ip);
    if (endpoint !== undefined) endpoint.dials++;
    if (endpoint === undefined || endpoint.conduct === 'refuse')
      return Promise.reject(new ChannelError('connect_refused', `${remote.ip} refuses`));
    if (endpoint.conduct === 'vanish') {
      return new Promise((_, reject) =>
        this.clock.setTimer(timeoutMs, () =>
          reject(new ChannelError('connect_timeout', `${remote.ip} is silent`)),
        ),
      );
    }
    const { left, right } = memoryChannelPair({ auto: true });
    this.#serve(endpoint, Object.assign(right, { fd: -1 }));
    return Promise.resolve(Object.assign(left, { fd: -1 }));
  }

  #serve(endpoint: SimulatedEndpoint, channel: TcpChannel): void {
    let text = '';
    let isTunnel = false;
    endpoint.open.set(channel, 0);
    channel.setHandler({
      onData: slice => {
        if (isTunnel) return void channel.write(slice);
        text += slice.toString('latin1');
        for (let end = text.indexOf(HEAD_END); end >= 0; end = text.indexOf(HEAD_END)) {
          const length = Number(/^content-length: (\d+)/im.exec(text.slice(0, end))?.[1] ?? 0);
          const begin = end + HEAD_END.length;
          if (text.length < begin + length) return;
          if (length > 0) endpoint.bodies.push(text.slice(begin, begin + length));
          text = text.slice(begin + length);
          endpoint.requests++;
          isTunnel = endpoint.conduct === 'tunnel' || endpoint.conduct === 'open_tunnel';
          this.#answer(endpoint, channel);
        }
      },
      onEnd: () => {
        if (endpoint.conduct !== 'open_tunnel') channel.end();
      },
      onDrain: () => undefined,
      onClose: () => endpoint.open.delete(channel),
    });
  }

  #answer(endpoint: SimulatedEndpoint, channel: TcpChannel): void {
    const { conduct, open } = endpoint;
    const respond = (status: string): void => {
      const last = endpoint.conduct === 'refuse';
      open.set(channel, (open.get(channel) ?? 1) - 1);
      const fields = `${endpoint.fields}Content-Length: 2${last ? '\r\nConnection: close' : ''}`;
      channel.write(Buffer.from(`HTTP/1.1 ${status}\r\n${fields}${HEAD_END}ok`));
      if (last) channel.end();
    };
    open.set(channel, (open.get(channel) ?? 0) + 1);
    const failure = '503 Service Unavailable';
    if (typeof conduct === 'object') {
      const status = conduct.fails === true ? failure : '200 OK';
      this.clock.setTimer(conduct.afterMs, () => respond(status));
    } else if (conduct === 'ok') respond('200 OK');
    else if (conduct === 'tunnel' || conduct === 'open_tunnel')
      channel.write(Buffer.from(`HTTP/1.1 200 OK${HEAD_END}`));
    else if (conduct === 'fail') respond(failure);
    else if (conduct === 'reset') channel.abort(new ChannelError('reset', 'reset by the application'));
  }

  /** Park and Miller's generator: the same in every run. */
  #random(): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }
}

const STEP_MS = 10;
