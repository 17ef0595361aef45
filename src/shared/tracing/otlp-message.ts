import protobuf from 'protobufjs';
import type { AttributeValue, Span } from './span.ts';

/** Who reports: attributes of the OTLP resource, name, value, name, value… */
export type Resource = readonly AttributeValue[];

const SCOPE = 'ambient-mesh/waypoint';

/** Wire types of protobuf. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const KIND = { server: 2, client: 3 } as const;
const STATUS_ERROR = 2;
/** W3C's trace flags of a sampled span, which all spans here are. */
const SAMPLED = 1;

/** The bytes of `opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest`. */
export function encodeTraceRequest(resource: Resource, version: string, spans: readonly Span[]): Buffer {
  const writer = protobuf.Writer.create();
  // resource_spans { resource, scope_spans { scope, spans } }
  tag(writer, 1, BYTES).fork();
  tag(writer, 1, BYTES).fork();
  writeAttributes(writer, 1, resource);
  writer.ldelim();
  tag(writer, 2, BYTES).fork();
  tag(writer, 1, BYTES).fork();
  writeText(writer, 1, SCOPE);
  writeText(writer, 2, version);
  writer.ldelim();
  for (const span of spans) {
    tag(writer, 2, BYTES).fork();
    writeSpan(writer, span);
    writer.ldelim();
  }
  writer.ldelim().ldelim();
  const bytes = writer.finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function writeSpan(writer: protobuf.Writer, span: Span): void {
  writeId(writer, 1, span.traceId);
  writeId(writer, 2, span.spanId);
  if (span.traceState !== '') writeText(writer, 3, span.traceState);
  if (span.parentSpanId !== '') writeId(writer, 4, span.parentSpanId);
  writeText(writer, 5, span.name);
  tag(writer, 6, VARINT).uint32(KIND[span.kind]);
  writeNanos(writer, 7, span.startMs);
  writeNanos(writer, 8, span.endMs);
  writeAttributes(writer, 9, span.attributes);
  if (span.error !== '') {
    tag(writer, 15, BYTES).fork();
    writeText(writer, 2, span.error);
    tag(writer, 3, VARINT).uint32(STATUS_ERROR);
    writer.ldelim();
  }
  tag(writer, 16, FIXED32).fixed32(SAMPLED);
}

function writeAttributes(
  writer: protobuf.Writer,
  field: number,
  attributes: readonly AttributeValue[],
): void {
  for (let i = 0; i < attributes.length; i += 2) {
    tag(writer, field, BYTES).fork();
    writeText(writer, 1, String(attributes[i]));
    tag(writer, 2, BYTES).fork();
    writeValue(writer, attributes[i + 1] ?? '');
    writer.ldelim().ldelim();
  }
}

function writeValue(writer: protobuf.Writer, value: AttributeValue): void {
  if (typeof value === 'string') writeText(writer, 1, value);
  else if (typeof value === 'boolean') tag(writer, 2, VARINT).bool(value);
  else if (Number.isSafeInteger(value)) tag(writer, 3, VARINT).int64(value);
  else tag(writer, 4, FIXED64).double(value);
}

function writeText(writer: protobuf.Writer, field: number, text: string): void {
  tag(writer, field, BYTES).string(text);
}

function writeId(writer: protobuf.Writer, field: number, hex: string): void {
  tag(writer, field, BYTES).bytes(Buffer.from(hex, 'hex'));
}

/** Nanoseconds do not fit a number: written as its two halves. */
function writeNanos(writer: protobuf.Writer, field: number, ms: number): void {
  const nanos = BigInt(Math.round(ms * 1_000)) * 1_000n;
  tag(writer, field, FIXED64);
  writer.fixed32(Number(nanos & 0xffffffffn)).fixed32(Number(nanos >> 32n));
}

function tag(writer: protobuf.Writer, field: number, wireType: number): protobuf.Writer {
  return writer.uint32((field << 3) | wireType);
}
