import { type ByteChannel, ChannelError } from '#shared/engine/channel.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import type { HttpLoad } from '../../load.ts';
import { BODY_BYTES, pathOf } from '../address-plan.ts';
import { grpcMessage } from '../answer-body.ts';
import { Http1Load } from './http1-load.ts';
import { Http2Load } from './http2-load.ts';
import type { ConnectionContext, LoadConnection } from './load-connection.ts';
import type { LoadSpec } from './load-spec.ts';
import { RunMeter } from './run-meter.ts';

/** For the last answers, and for the connections to end. */
const GRACE_MS = 30_000;
/** Of a request of gRPC. */
export const MESSAGE_BYTES = 128;

export interface LoadEnvironment {
  /** Opens a connection to the measured service. */
  readonly open: () => Promise<ByteChannel>;
  readonly clock: Clock;
  /** Runs a function at the end of the turn of the loop. */
  readonly defer: (fn: () => void) => void;
  /** What requests name as their host. */
  readonly authority: string;
}

/**
 * Opens the connections, keeps each of them busy for as long as the run lasts, awaits the answers under way, and ends them.
 * Rejects when a connection cannot be opened, an answer is not the one that was asked for, or one does not come.
 */
export async function runLoad(spec: LoadSpec, environment: LoadEnvironment): Promise<HttpLoad> {
  const { clock, open } = environment;
  const channels = await openAll(spec.connections, open);
  const meter = new RunMeter(() => clock.monotonic());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let live = channels.length;
  const onClosed = (fault: string | undefined): void => {
    if (fault !== undefined) reject(new Error(fault));
    if (--live === 0) resolve();
  };
  const connections = channels.map(channel =>
    newConnection(spec, environment.authority, { channel, meter, onClosed, defer: environment.defer }),
  );
  const beganAt = meter.now();
  let endedAt = Number.NaN;
  for (const connection of connections) connection.begin();
  const end = clock.setTimer(spec.seconds * 1000, () => {
    endedAt = meter.now();
    meter.end();
  });
  const late = clock.setTimer(spec.seconds * 1000 + GRACE_MS, () =>
    reject(new Error(`${live} connections were not answered, or not ended, in ${GRACE_MS} ms`)),
  );
  try {
    await promise;
  } catch (error) {
    for (const channel of channels) channel.abort(new ChannelError('aborted', 'the run has failed'));
    throw error;
  } finally {
    end.cancel();
    late.cancel();
  }
  const { latency, total } = meter;
  return {
    requests: total,
    requestsPerSecond: (latency.total * 1000) / (endedAt - beganAt),
    p50Ms: latency.percentileMs(0.5),
    p99Ms: latency.percentileMs(0.99),
  };
}

/** All, or none is left open. */
async function openAll(count: number, open: () => Promise<ByteChannel>): Promise<readonly ByteChannel[]> {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, open));
  const channels = outcomes.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = outcomes.find(each => each.status === 'rejected');
  if (failed === undefined) return channels;
  for (const channel of channels) channel.abort(new ChannelError('aborted', 'another one did not open'));
  throw failed.reason;
}

export function newConnection(spec: LoadSpec, authority: string, context: ConnectionContext): LoadConnection {
  const path = pathOf(spec.body);
  const bodyBytes = BODY_BYTES[spec.body];
  if (spec.protocol === 'h1')
    return new Http1Load(
      context,
      Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`),
      bodyBytes,
    );
  const isGrpc = spec.protocol === 'grpc';
  const message = isGrpc ? grpcMessage(MESSAGE_BYTES) : undefined;
  const fields = [
    ':path',
    path,
    ':scheme',
    'http',
    ':authority',
    authority,
    ':method',
    isGrpc ? 'POST' : 'GET',
  ];
  const rest =
    message === undefined
      ? []
      : ['content-type', 'application/grpc', 'te', 'trailers', 'content-length', String(message.length)];
  return new Http2Load(context, {
    fields: [...fields, 'user-agent', 'bench', ...rest],
    message,
    bodyBytes,
    streams: spec.streams,
  });
}
