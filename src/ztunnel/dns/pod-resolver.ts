import { randomInt } from 'node:crypto';
import type { SocketEndpoint } from '#shared/engine/channel.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { formatHostPort } from '#shared/workload/ip.ts';
import type { Workload } from '#shared/workload/workload.ts';
import { findLocalWorkload, type LocalWorkloadInfo } from '../pod/local-workload.ts';
import {
  encodeAnswer,
  encodeError,
  encodeNobody,
  fitAnswer,
  maxAnswerBytes,
  ResponseCode,
} from './answer.ts';
import { askOverTcp, askOverUdp } from './ask-server.ts';
import type { DnsContext } from './dns-context.ts';
import type { DnsResult, Transport } from './dns-metrics.ts';
import { exchange, type Exchanged, type ExchangeOptions } from './exchange.ts';
import { mayAsk } from './may-ask.ts';
import { parseQuery, type Question } from './query.ts';
import { RecordType, typeName } from './record-type.ts';
import { resolveQuestion, type Resolution } from './resolve-question.ts';

/** A message that came in on a DNS port of a pod. */
export interface IncomingQuery {
  readonly bytes: Buffer;
  readonly transport: Transport;
  /** Whom the client asked; undefined: it cannot be told. Asked for only when it matters. */
  readonly askedServer: () => SocketEndpoint | undefined;
  readonly reply: (answer: Buffer) => void;
}

/** RFC 5936, RFC 1995. */
const TRANSFERS: ReadonlySet<number | undefined> = new Set([RecordType.axfr, RecordType.ixfr]);

/** What is asked of one pod's DNS: decides, acts, records. */
export class PodResolver {
  info: LocalWorkloadInfo;
  readonly #context: DnsContext;
  readonly #netnsFd: number;
  readonly #left = new AbortController();

  /** @param netnsFd must stay open until `close` */
  constructor(context: DnsContext, info: LocalWorkloadInfo, netnsFd: number) {
    this.#context = context;
    this.info = info;
    this.#netnsFd = netnsFd;
  }

  /** Resolves when the query has had its answer, or gets none. Never rejects: no query ends the proxy of a node. */
  async handle(incoming: IncomingQuery): Promise<void> {
    try {
      await this.#handle(incoming);
    } catch (error) {
      this.#context.logger.error('dns query failed', { pod: this.info.name, error: errorMessage(error) });
    }
  }

  async #handle(incoming: IncomingQuery): Promise<void> {
    const { bytes, transport, reply } = incoming;
    const query = parseQuery(bytes);
    if (query.kind === 'ignored') return this.#record(incoming, undefined, 'ignored', query.reason);
    if (query.kind === 'malformed') {
      this.#record(incoming, undefined, 'malformed', query.reason);
      return reply(encodeError(bytes, undefined, ResponseCode.formatError));
    }
    const { question } = query;
    if (!this.#context.isKnown()) {
      this.#record(incoming, question, 'refused', 'the mesh is not known yet');
      return reply(encodeError(bytes, question, ResponseCode.serverFailure));
    }
    if (query.kind === 'opaque') return this.#forward(incoming, question, 'not understood here');
    const resolution = this.#resolve(query.question);
    if (resolution.kind === 'forward') return this.#forward(incoming, question, resolution.reason);
    if (resolution.kind === 'nobody') {
      this.#record(incoming, question, 'answered', 'no endpoint of that name');
      return reply(encodeNobody(bytes, query.question));
    }
    this.#record(incoming, question, 'answered', resolution.ips.join(' '));
    reply(encodeAnswer(bytes, query.question, resolution, maxAnswerBytes(transport, question)));
  }

  #resolve(question: Question): Resolution {
    const { isCurrent, random, settings, view } = this.#context;
    const { clusterDomain } = settings;
    return resolveQuestion(view, this.#source(), question, { clusterDomain, random, isCurrent });
  }

  /** Ends what is under way. */
  close(): void {
    this.#left.abort();
  }

  async #forward(incoming: IncomingQuery, question: Question | undefined, reason: string): Promise<void> {
    const { metrics, settings, underWay, view } = this.#context;
    const { bytes, transport, reply } = incoming;
    const { uid } = this.info;
    const source = this.#source();
    const refuse = (code: number, why: string): void => {
      this.#record(incoming, question, 'refused', why);
      reply(encodeError(bytes, question, code));
    };
    if (transport === 'tcp' && TRANSFERS.has(question?.type))
      return refuse(ResponseCode.notImplemented, 'a transfer of a zone, which has answers without number');
    const servers = this.#servers(incoming);
    const allowed = servers.filter(server => mayAsk(view, source, transport, server, settings));
    if (allowed.length === 0 && servers.length > 0) {
      metrics.upstreamFailure(source, transport, 'policy');
      const ips = servers.map(({ ip }) => ip).join(' ');
      return refuse(ResponseCode.refused, `OUTBOUND_TRAFFIC_POLICY lets nobody ask ${ips}`);
    }
    if (!underWay.begin(uid)) {
      metrics.upstreamFailure(source, transport, 'limit');
      return refuse(ResponseCode.serverFailure, 'too many are under way');
    }
    try {
      await this.#exchange(incoming, question, allowed, reason);
    } finally {
      underWay.end(uid);
    }
  }

  async #exchange(
    incoming: IncomingQuery,
    question: Question | undefined,
    servers: readonly SocketEndpoint[],
    reason: string,
  ): Promise<void> {
    const { clock, metrics } = this.#context;
    const { bytes, transport, reply } = incoming;
    const source = this.#source();
    const started = clock.monotonic();
    metrics.upstreamRequest(source, transport);
    const exchanged = await exchange({ bytes, question }, servers, this.#ask(transport));
    if (this.#left.signal.aborted) return;
    metrics.upstreamSeconds(transport, (clock.monotonic() - started) / 1000);
    if (!exchanged.ok) metrics.upstreamFailure(source, transport, exchanged.reason);
    this.#record(incoming, question, exchanged.ok ? 'forwarded' : 'failed', toldOf(exchanged, reason));
    reply(
      exchanged.ok
        ? fitAnswer(bytes, question, exchanged.answer, maxAnswerBytes(transport, question))
        : encodeError(bytes, question, ResponseCode.serverFailure),
    );
  }

  #ask(transport: Transport): ExchangeOptions {
    const { clock, engine } = this.#context;
    const ask: ExchangeOptions['ask'] =
      transport === 'udp'
        ? (server, bytes, handler) => askOverUdp(this.#netnsFd, server, bytes, handler)
        : (server, bytes, handler) => askOverTcp(engine, this.#netnsFd, server, bytes, handler);
    return { ask, clock, randomInt, signal: this.#left.signal };
  }

  #servers({ askedServer }: IncomingQuery): readonly SocketEndpoint[] {
    const asked = askedServer();
    return asked === undefined ? this.#context.ownServers : [asked];
  }

  #source(): Workload {
    const { view, settings } = this.#context;
    return findLocalWorkload(view, this.info, settings).workload;
  }

  #record(
    { transport }: IncomingQuery,
    question: Question | undefined,
    result: DnsResult,
    why: string,
  ): void {
    const { logger, metrics } = this.#context;
    metrics.request(this.#source(), transport, result);
    if (!logger.enabled('debug')) return;
    const { name, namespace } = this.info;
    const asked = question && { name: question.name ?? '', type: typeName(question.type) };
    logger.debug('dns query', { pod: name, namespace, transport, result, ...asked, why });
  }
}

function toldOf(exchanged: Exchanged, reason: string): string {
  if (!exchanged.ok) return exchanged.message;
  return `${reason}; answered by ${formatHostPort(exchanged.server.ip, exchanged.server.port)}`;
}
