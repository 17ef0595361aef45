import { test } from 'tap';
import { ChannelError } from '#shared/engine/channel.ts';
import { type ClientExchange, ExchangeError } from '#shared/http/exchange.ts';
import { ExchangeChannel } from './exchange-channel.ts';

interface Bench {
  readonly channel: ExchangeChannel;
  /** What was asked of the exchange, in order. */
  readonly asked: string[];
  /** What the handler was told, in order. */
  readonly told: string[];
  readonly handle: (onData?: () => void) => void;
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
const bytes = (text: string): Buffer => Buffer.from(text);

function bench(): Bench {
  const asked: string[] = [];
  const told: string[] = [];
  const exchange: ClientExchange = {
    sendBody: slice => {
      asked.push(`send ${Buffer.from(slice).toString()}`);
      return false;
    },
    endBody: () => void asked.push('end'),
    abort: ({ message }) => void asked.push(`abort: ${message}`),
    resumeBody: () => void asked.push('resume'),
  };
  const channel = new ExchangeChannel(exchange, { ip: '10.0.0.1', port: 1 });
  return {
    channel,
    asked,
    told,
    handle: onData =>
      channel.setHandler({
        onData(slice) {
          told.push(slice.toString());
          onData?.();
        },
        onEnd: () => void told.push('end'),
        onDrain: () => void told.push('drain'),
        onClose: error => void told.push(`closed: ${error?.message ?? 'in order'}`),
      }),
  };
}

test('what comes before anybody listens is held, and so is the end behind it', async t => {
  const { asked, channel, handle, told } = bench();
  t.equal(channel.onBody(bytes('a')), false, 'no more for now');
  channel.onBody(bytes('b'));
  channel.onBodyEnd();
  handle();
  t.same(told, [], 'never inside the call');
  await turn();
  t.same(told, ['a', 'b', 'end']);
  t.same(asked, []);
});

test('a pause holds what comes until it is over, and the exchange is asked for more then', async t => {
  const { asked, channel, handle, told } = bench();
  handle(() => channel.pause());
  await turn();
  asked.length = 0;
  t.equal(channel.onBody(bytes('a')), false, 'the handler has paused');
  t.equal(channel.onBody(bytes('b')), false);
  channel.onBody(bytes('c'));
  channel.resume();
  await turn();
  t.same([told, asked], [['a', 'b'], []], 'paused again by the next slice');
  channel.resume();
  channel.resume();
  await turn();
  t.same(told, ['a', 'b', 'c']);
  channel.resume();
  await turn();
  t.same(asked, ['resume']);
});

test('it closes when both directions have ended, each by itself', async t => {
  const first = bench();
  first.handle();
  t.equal(first.channel.onBody(bytes('a')), true);
  t.equal(first.channel.write(bytes('x')), false, 'the exchange says when it is enough');
  first.channel.onWritable();
  first.channel.end();
  first.channel.end();
  t.equal(first.channel.write(bytes('y')), false, 'nothing goes behind the end');
  first.channel.onBody(bytes('b'));
  first.channel.onWritable();
  first.channel.onBodyEnd();
  await turn();
  t.same(first.told, ['a', 'drain', 'b', 'end', 'closed: in order']);
  t.same(
    first.asked.filter(what => what !== 'resume'),
    ['send x', 'end'],
  );
  first.channel.onAbort(new ExchangeError('reset', 'late'));
  first.channel.abort(new ChannelError('aborted', 'late'));
  await turn();
  t.equal(first.told.length, 5, 'what comes after it is nothing new');
  const second = bench();
  second.handle();
  second.channel.onBodyEnd();
  t.equal(second.channel.writeOwned(bytes('x')), false);
  second.channel.end();
  await turn();
  t.same(second.told, ['end', 'closed: in order']);
});

test('either side may break it off', async t => {
  const ours = bench();
  ours.handle();
  ours.channel.abort(new ChannelError('policy', 'no longer allowed'));
  t.equal(ours.channel.onBody(bytes('a')), true, 'what comes later is nobody’s');
  await turn();
  t.same([ours.told, ours.asked[0]], [['closed: no longer allowed'], 'abort: no longer allowed']);
  const theirs = bench();
  theirs.channel.onBody(bytes('a'));
  theirs.channel.onAbort(new ExchangeError('reset', 'the stream was reset'));
  theirs.handle();
  await turn();
  t.same([theirs.told, theirs.asked], [['closed: the stream was reset'], []]);
});
