import { type ByteChannel, ChannelError, type ChannelHandler } from '#shared/engine/channel.ts';
import { DEFAULT_MAX_FRAME_BYTES, Flag, FrameType, readUint31 } from '#shared/http2/frame.ts';
import { FrameReader, type FrameSink } from '#shared/http2/frame-reader.ts';
import { SettingId } from '#shared/http2/settings.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { BODY_BYTES, pathOf } from './address-plan.ts';
import { grpcMessage, plainBody } from './answer-body.ts';
import { BodySender } from './http2/body-sender.ts';
import { ControlFrames, type ControlOptions } from './http2/control-frames.ts';
import { PathFinder } from './http2/header-block.ts';
import { type FramePlan, PreparedFrames } from './http2/prepared-frames.ts';
import { BODIES } from './plan.ts';

type Kind = 'http' | 'grpc';

const MAX_FRAME_BYTES = 2 ** 20;
/** As our own servers have them. */
const CONTROL: ControlOptions = {
  role: 'server',
  settings: [
    [SettingId.INITIAL_WINDOW_SIZE, 2 ** 22],
    [SettingId.MAX_FRAME_SIZE, MAX_FRAME_BYTES],
    [SettingId.MAX_CONCURRENT_STREAMS, 1000],
  ],
  windowBytes: 2 ** 24,
};
const PATHS = new PathFinder(BODIES.map(pathOf));

interface Answer {
  readonly body: Buffer;
  /** What `PreparedFrames` have of it: all of it in one piece, or what stands before the body and behind it. */
  readonly whole: number | undefined;
  readonly head: number;
  readonly trailers: number | undefined;
}

/** What is answered to a request for each path, in the order of `BODIES`. */
interface Answers {
  readonly frames: readonly (readonly FramePlan[])[];
  readonly answers: readonly Answer[];
}

const NOT_FOUND: readonly FramePlan[] = [{ fields: [':status', '404'], endStream: true }];
const ANSWERS: Readonly<Record<Kind, Answers>> = {
  http: answersOf(plainBody, bytes => [
    ':status',
    '200',
    'content-type',
    'text/plain',
    'content-length',
    bytes,
  ]),
  grpc: answersOf(
    body => grpcMessage(BODY_BYTES[body]),
    () => [':status', '200', 'content-type', 'application/grpc'],
    ['grpc-status', '0'],
  ),
};

function answersOf(
  bodyOf: (body: (typeof BODIES)[number]) => Buffer,
  headOf: (bytes: string) => readonly string[],
  trailers?: readonly string[],
): Answers {
  const frames: (readonly FramePlan[])[] = [NOT_FOUND];
  const prepare = (plan: readonly FramePlan[]): number => frames.push(plan) - 1;
  const end: readonly FramePlan[] = trailers === undefined ? [] : [{ fields: trailers, endStream: true }];
  const answers = BODIES.map((body): Answer => {
    const data = bodyOf(body);
    const head: FramePlan = { fields: headOf(String(data.length)), endStream: false };
    const isSmall = data.length <= DEFAULT_MAX_FRAME_BYTES;
    return {
      body: data,
      whole: isSmall ? prepare([head, { data, endStream: end.length === 0 }, ...end]) : undefined,
      head: prepare([head]),
      trailers: end.length === 0 ? undefined : prepare(end),
    };
  });
  return { frames, answers };
}

/** Answers each stream with the body its path names, when the request has ended. It knows what the bench sends, and no more of HTTP/2. */
export function answerHttp2(channel: ByteChannel, kind: Kind): void {
  new AnsweringConnection(channel, ANSWERS[kind]);
}

class AnsweringConnection implements ChannelHandler, FrameSink {
  readonly #channel: ByteChannel;
  readonly #answers: readonly Answer[];
  readonly #frames: PreparedFrames;
  readonly #control: ControlFrames;
  readonly #sender: BodySender;
  readonly #reader = new FrameReader(this, MAX_FRAME_BYTES, true);
  // Requests that have begun and not ended, with the answer each gets.
  readonly #open: number[] = [];
  readonly #openAnswers: number[] = [];
  /** The stream that the DATA frame being read ends; 0: none. */
  #ending = 0;

  constructor(channel: ByteChannel, { frames, answers }: Answers) {
    this.#channel = channel;
    this.#answers = answers;
    this.#frames = new PreparedFrames(frames);
    this.#control = new ControlFrames(channel, CONTROL);
    this.#sender = new BodySender(channel);
    this.#control.begin();
    channel.setHandler(this);
  }

  // === for the channel ===

  onData(slice: Buffer): void {
    try {
      this.#reader.read(slice);
    } catch (error) {
      this.#channel.abort(new ChannelError('protocol', errorMessage(error)));
    }
  }

  onEnd(): void {
    this.#channel.end();
  }

  onDrain(): void {
    this.#sender.setBlocked(false);
  }

  onClose(): void {
    this.#reader.stop();
  }

  // === for the reader ===

  onFrameHead(_type: number, _flags: number, _streamId: number, length: number): number {
    return length;
  }

  onFrame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.HEADERS:
        return this.#onRequest(flags, streamId, buffer, start, end);
      case FrameType.WINDOW_UPDATE:
        return this.#sender.credit(streamId, readUint31(buffer, start));
      case FrameType.RST_STREAM:
        this.#take(streamId);
        return this.#sender.drop(streamId);
      case FrameType.SETTINGS:
        this.#control.onFrame(type, flags, buffer, start, end);
        return this.#sender.setLimits(this.#control.peer.windowBytes, this.#control.peer.maxFrameBytes);
      default:
        this.#control.onFrame(type, flags, buffer, start, end);
    }
  }

  onDataStart(streamId: number, flags: number, length: number): void {
    this.#control.received(length);
    this.#ending = (flags & Flag.END_STREAM) === 0 ? 0 : streamId;
  }

  onDataChunk(): void {}

  onDataEnd(): void {
    if (this.#ending !== 0) this.#answer(this.#ending, this.#take(this.#ending));
  }

  // === requests ===

  #onRequest(flags: number, streamId: number, block: Buffer, start: number, end: number): void {
    if ((flags & (Flag.PADDED | Flag.PRIORITY)) !== 0 || (flags & Flag.END_HEADERS) === 0)
      throw new Error(`HEADERS with flags ${flags}, which are not understood`);
    const isEnd = (flags & Flag.END_STREAM) !== 0;
    const begun = this.#open.includes(streamId);
    // Trailers of a request that has begun.
    if (begun) return isEnd ? this.#answer(streamId, this.#take(streamId)) : undefined;
    const answer = PATHS.find(block, start, end);
    if (isEnd) return this.#answer(streamId, answer);
    this.#open.push(streamId);
    this.#openAnswers.push(answer);
  }

  /** The request has ended. @returns which answer it gets, or -1 */
  #take(streamId: number): number {
    const at = this.#open.lastIndexOf(streamId);
    if (at < 0) return -1;
    const answer = this.#openAnswers[at] ?? -1;
    // The last one takes its place.
    const lastId = this.#open.pop() ?? 0;
    const lastAnswer = this.#openAnswers.pop() ?? -1;
    if (at < this.#open.length) {
      this.#open[at] = lastId;
      this.#openAnswers[at] = lastAnswer;
    }
    return answer;
  }

  #answer(streamId: number, which: number): void {
    const answer = this.#answers[which];
    if (answer === undefined) return this.#write(0, streamId);
    const { body, whole, head, trailers } = answer;
    if (whole !== undefined && this.#sender.takes(body.length)) return this.#write(whole, streamId);
    this.#write(head, streamId);
    this.#sender.send(
      streamId,
      body,
      trailers === undefined ? undefined : () => this.#write(trailers, streamId),
    );
  }

  #write(message: number, streamId: number): void {
    if (!this.#channel.write(this.#frames.of(message, streamId))) this.#sender.setBlocked(true);
  }
}
