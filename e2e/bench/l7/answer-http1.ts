import { ChannelError, type ByteChannel, type ChannelHandler } from '#shared/engine/channel.ts';
import { pathOf } from './address-plan.ts';
import { plainBody } from './answer-body.ts';
import { BODIES } from './plan.ts';

const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');
const MAX_HEAD_BYTES = 16_384;

interface Answer {
  readonly requestLine: Buffer;
  readonly bytes: Buffer;
}

const ANSWERS = BODIES.map((body): Answer => {
  const bytes = plainBody(body);
  const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return {
    requestLine: Buffer.from(`GET ${pathOf(body)} HTTP/1.1\r\n`),
    bytes: Buffer.concat([Buffer.from(head), bytes]),
  };
});

/** Answers each GET of a connection with the body its path names. It knows what the bench sends, and no more of HTTP. */
export function answerHttp1(channel: ByteChannel): void {
  channel.setHandler(new AnsweringConnection(channel));
}

class AnsweringConnection implements ChannelHandler {
  readonly #channel: ByteChannel;
  /** Of a head that has not ended. */
  #carry: Buffer | undefined;

  constructor(channel: ByteChannel) {
    this.#channel = channel;
  }

  onData(slice: Buffer): void {
    const input = this.#carry === undefined ? slice : Buffer.concat([this.#carry, slice]);
    let at = 0;
    for (let end = input.indexOf(HEAD_END); end >= 0; end = input.indexOf(HEAD_END, at)) {
      const answer = answerTo(input, at);
      if (answer === undefined) return this.#abort('no such path');
      at = end + HEAD_END.length;
      // One request is under way on a connection, so that what waits is one answer at most.
      this.#channel.writeOwned(answer.bytes);
    }
    if (input.length - at > MAX_HEAD_BYTES) return this.#abort('the head is too long');
    this.#carry = at === input.length ? undefined : Buffer.from(input.subarray(at));
  }

  onEnd(): void {
    this.#channel.end();
  }

  onDrain(): void {}
  onClose(): void {}

  #abort(reason: string): void {
    this.#channel.abort(new ChannelError('protocol', reason));
  }
}

function answerTo(input: Buffer, at: number): Answer | undefined {
  for (const answer of ANSWERS) if (isAt(input, at, answer.requestLine)) return answer;
  return undefined;
}

function isAt(bytes: Buffer, at: number, expected: Buffer): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}
