import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server as GrpcServer, ServerCredentials, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';

/** The part of OpenTelemetry's public definitions that traces take, to read what an exporter sends by other code than its own. */
const PROTO = `
syntax = "proto3";
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message InstrumentationScope { string name = 1; string version = 2; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; Status status = 15; fixed32 flags = 16;
}
message Status { string message = 2; int32 code = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
`;

const REQUEST = protobuf.parse(PROTO, { keepCase: true }).root.lookupType('ExportTraceServiceRequest');

/** A decoded request: bytes as hexadecimal digits, 64-bit numbers as text. */
export function decodeTraceRequest(body: Uint8Array): unknown {
  const message = REQUEST.decode(body);
  const hex: unknown = JSON.parse(
    JSON.stringify(REQUEST.toObject(message, { longs: String, bytes: Array }), (key, value: unknown) =>
      key.endsWith('_id') && Array.isArray(value) ? Buffer.from(value).toString('hex') : value,
    ),
  );
  return hex;
}

/** A collector on loopback that answers as told and keeps what it was sent. */
export interface FakeCollector {
  readonly url: URL;
  readonly received: unknown[];
  /** HTTP status, or whether gRPC answers UNAVAILABLE (503) or INVALID_ARGUMENT (400). */
  answer: number;
  close(): Promise<void>;
}

export async function httpCollector(): Promise<FakeCollector> {
  const collector = { received: [] as unknown[], answer: 200 };
  const server = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      const right = req.url === '/v1/traces' && req.headers['content-type'] === 'application/x-protobuf';
      if (right && collector.answer === 200)
        collector.received.push(decodeTraceRequest(Buffer.concat(parts)));
      res.writeHead(right ? collector.answer : 404).end(collector.answer === 200 ? '' : 'not now');
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(collector, {
    url: new URL(`http://127.0.0.1:${portOf(server)}`),
    close: () =>
      new Promise<void>(resolve => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

export async function grpcCollector(): Promise<FakeCollector> {
  const collector = { received: [] as unknown[], answer: 200 };
  const server = new GrpcServer();
  const same = (bytes: Buffer): Buffer => bytes;
  server.addService(
    {
      Export: {
        path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
        requestStream: false,
        responseStream: false,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    },
    {
      Export: (call: { request: Buffer }, callback: (error: object | null, bytes?: Buffer) => void) => {
        if (collector.answer !== 200) {
          const code = collector.answer === 503 ? status.UNAVAILABLE : status.INVALID_ARGUMENT;
          callback({ code, details: 'not now' });
          return;
        }
        collector.received.push(decodeTraceRequest(call.request));
        callback(null, Buffer.alloc(0));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return Object.assign(collector, {
    url: new URL(`http://127.0.0.1:${port}`),
    close: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  });
}
