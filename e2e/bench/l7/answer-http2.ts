import type { ByteChannel } from '#shared/engine/channel.ts';
import type { HeaderList } from '#shared/http/headers.ts';
import { Http2Connection } from '#shared/http2/connection.ts';
import type { Http2Stream, Http2StreamHandler } from '#shared/http2/stream.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { BODY_BYTES } from './address-plan.ts';
import { answersByPath, grpcMessage, plainBody } from './answer-body.ts';

type Kind = 'http' | 'grpc';

interface Answer {
  readonly head: readonly string[];
  readonly body: Buffer;
  /** Of gRPC: how the call ended. */
  readonly trailers: readonly string[] | undefined;
}

const ANSWERS: Readonly<Record<Kind, ReadonlyMap<string, Answer>>> = {
  http: answersByPath(size => {
    const body = plainBody(size);
    const length = String(body.length);
    const head = [':status', '200', 'content-type', 'text/plain', 'content-length', length];
    return { head, body, trailers: undefined };
  }),
  grpc: answersByPath(size => ({
    head: [':status', '200', 'content-type', 'application/grpc'],
    body: grpcMessage(BODY_BYTES[size]),
    trailers: ['grpc-status', '0'],
  })),
};

/** Answers each stream with the body its path names, when the request has ended. */
export function answerHttp2(channel: ByteChannel, clock: Clock, kind: Kind): void {
  new Http2Connection(
    'server',
    channel,
    clock,
    { maxConcurrentStreams: 1000 },
    {
      onStream: (stream, fields) => new Answering(stream, ANSWERS[kind].get(pathIn(fields))),
      onGoaway: () => undefined,
      onCapacity: () => undefined,
      onClose: () => undefined,
    },
  );
}

function pathIn(fields: HeaderList): string {
  const at = fields.indexOf(':path');
  return at < 0 ? '' : (fields[at + 1] ?? '');
}

class Answering implements Http2StreamHandler {
  readonly #stream: Http2Stream;
  readonly #answer: Answer | undefined;

  constructor(stream: Http2Stream, answer: Answer | undefined) {
    this.#stream = stream;
    this.#answer = answer;
  }

  onHeaders(): void {}

  onData(slice: Buffer): void {
    this.#stream.consume(slice.length);
  }

  onEnd(): void {
    const answer = this.#answer;
    if (answer === undefined) return this.#stream.sendHeaders([':status', '404'], true);
    this.#stream.sendHeaders(answer.head, false);
    this.#stream.sendOwned(answer.body, answer.trailers === undefined);
    if (answer.trailers !== undefined) this.#stream.sendTrailers(answer.trailers);
  }

  onReset(): void {}
  onDrain(): void {}
}
