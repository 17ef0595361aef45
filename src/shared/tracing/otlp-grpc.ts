import { ChannelCredentials, Client, Metadata, status } from '@grpc/grpc-js';
import { systemClock } from '../lifecycle/clock.ts';
import { type OtlpTransport, SEND_TIMEOUT_MS } from './otlp-transport.ts';

const EXPORT_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** OTLP: gRPC statuses after which the same bytes may be sent again. */
const RETRIABLE: ReadonlySet<number> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** OTLP over gRPC; `https:` checks the collector's certificate against the system's roots. */
export function grpcTransport(endpoint: URL): OtlpTransport {
  const secure = endpoint.protocol === 'https:';
  const address = endpoint.port === '' ? `${endpoint.hostname}:${secure ? 443 : 80}` : endpoint.host;
  const credentials = secure ? ChannelCredentials.createSsl() : ChannelCredentials.createInsecure();
  const client = new Client(address, credentials, {
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    'grpc.use_local_subchannel_pool': 1,
  });
  return {
    address: endpoint.href,
    close: () => client.close(),
    send: body =>
      new Promise(resolve => {
        const options = { deadline: systemClock.now() + SEND_TIMEOUT_MS };
        const same = (bytes: Buffer): Buffer => bytes;
        client.makeUnaryRequest(EXPORT_PATH, same, same, body, new Metadata(), options, error => {
          if (error === null) resolve({ ok: true });
          else resolve({ ok: false, reason: error.message, retriable: RETRIABLE.has(error.code) });
        });
      }),
  };
}
