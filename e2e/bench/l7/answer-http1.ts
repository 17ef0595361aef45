import { ChannelError, type ByteChannel } from '#shared/engine/channel.ts';
import { answersByPath, plainBody } from './answer-body.ts';

const HEAD_END = '\r\n\r\n';
const MAX_HEAD_BYTES = 16_384;

const ANSWERS = answersByPath(body => {
  const bytes = plainBody(body);
  const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${bytes.length}${HEAD_END}`;
  return Buffer.concat([Buffer.from(head), bytes]);
});

/** Answers each GET of a connection with the body its path names. It knows what the bench sends, and no more of HTTP. */
export function answerHttp1(channel: ByteChannel): void {
  let waiting = '';
  channel.setHandler({
    onData: slice => {
      waiting += slice.toString('latin1');
      for (let end = waiting.indexOf(HEAD_END); end >= 0; end = waiting.indexOf(HEAD_END)) {
        const answer = ANSWERS.get(waiting.slice(waiting.indexOf(' ') + 1, waiting.indexOf(' HTTP/1.1')));
        if (answer === undefined) return channel.abort(new ChannelError('protocol', 'no such path'));
        waiting = waiting.slice(end + HEAD_END.length);
        // One request is under way on a connection, so that what waits is one answer at most.
        channel.writeOwned(answer);
      }
      if (waiting.length > MAX_HEAD_BYTES)
        channel.abort(new ChannelError('protocol', 'the head is too long'));
    },
    onEnd: () => channel.end(),
    onDrain: () => undefined,
    onClose: () => undefined,
  });
}
