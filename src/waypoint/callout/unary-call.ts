import { getHeader } from '#shared/http/headers.ts';
import { Callout, type CalloutEnvironment, type CalloutOutcome } from './callout.ts';

/** One call of a gRPC method with one message each way. */
export interface UnaryCall {
  /** `<namespace>/<hostname>` and port of the service asked. */
  readonly service: string;
  readonly port: number;
  /** `/<package>.<Service>/<Method>`. */
  readonly method: string;
  /** `:authority`, as its server may route by it. */
  readonly authority: string;
  readonly message: Buffer;
  readonly timeoutMs: number;
  /** Of the trace the client's request belongs to; undefined: none. */
  readonly traceparent: string | undefined;
}

export type UnaryOutcome =
  | { readonly ok: true; readonly message: Buffer }
  | { readonly ok: false; readonly reason: string };

const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Compressed flag and length before each message (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5;

/** Makes the call; see `Callout` for when the outcome is told. The caller starts it. */
export function unaryCall(
  env: CalloutEnvironment,
  call: UnaryCall,
  onOutcome: (outcome: UnaryOutcome) => void,
): Callout {
  const { authority, message, method, port, service, timeoutMs, traceparent } = call;
  const body = frame(message);
  const headers = ['content-type', 'application/grpc', 'te', 'trailers'];
  headers.push('grpc-timeout', `${timeoutMs}m`, 'user-agent', 'ambient-mesh-waypoint');
  if (traceparent !== undefined) headers.push('traceparent', traceparent);
  const request = {
    service,
    port,
    protocol: 'http2',
    head: {
      method: 'POST',
      scheme: 'http',
      authority,
      path: method,
      headers,
      protocol: 'HTTP/2',
      upgrade: undefined,
      contentLength: undefined,
      expectContinue: false,
    },
    body,
    timeoutMs,
    maxResponseBytes: MAX_MESSAGE_BYTES + PREFIX_BYTES,
  } as const;
  return new Callout(env, request, outcome => onOutcome(readOutcome(outcome)));
}

function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  message.copy(framed, PREFIX_BYTES);
  return framed;
}

function readOutcome(outcome: CalloutOutcome): UnaryOutcome {
  if (!outcome.ok) return outcome;
  const { body, headers, status, trailers } = outcome;
  if (status !== 200) return failed(`HTTP status ${status} in answer to a gRPC call`);
  const code = getHeader(trailers, 'grpc-status') ?? getHeader(headers, 'grpc-status');
  if (code !== '0') {
    const text = getHeader(trailers, 'grpc-message') ?? getHeader(headers, 'grpc-message') ?? '';
    return failed(`grpc-status ${code ?? 'missing'}${text === '' ? '' : `: ${text}`}`);
  }
  if (body.length < PREFIX_BYTES) return failed('an answer without a message');
  if (body[0] !== 0) return failed('a compressed answer, which was not asked for');
  if (body.readUInt32BE(1) !== body.length - PREFIX_BYTES)
    return failed('an answer of more than one message');
  return { ok: true, message: body.subarray(PREFIX_BYTES) };
}

function failed(reason: string): UnaryOutcome {
  return { ok: false, reason };
}
