import { test, type Test } from 'tap';
import type { SocketEndpoint } from '#shared/engine/channel.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { exchange, type Exchanged, type TryHandler } from './exchange.ts';
import { parseQuery } from './query.ts';
import { encodeQuery, encodeReply } from './testing/messages.ts';

interface FakeTry {
  readonly server: SocketEndpoint;
  readonly bytes: Buffer;
  readonly handler: TryHandler;
  open: boolean;
}

const SERVERS = ['192.0.2.1', '192.0.2.2'].map(ip => ({ ip, port: 53 }));

/** An exchange under way, with what it has sent so far. */
function setUp(t: Test, servers: readonly SocketEndpoint[] = SERVERS) {
  const clock = new FakeClock();
  const tries: FakeTry[] = [];
  const nobody = new AbortController();
  const refusing = new Set<string>();
  let id = 100;
  const bytes = encodeQuery({ name: 'far.test', id: 1 });
  const query = parseQuery(bytes);
  const question = query.kind === 'question' ? query.question : undefined;
  let result: Exchanged | undefined;
  const done = exchange({ bytes, question }, servers, {
    ask: (server, sent, handler) => {
      if (refusing.has(server.ip)) throw new Error('no way there');
      const made = { server, bytes: sent, handler, open: true };
      tries.push(made);
      return { close: () => void (made.open = false) };
    },
    clock,
    randomInt: () => id++,
    signal: nobody.signal,
  }).then(value => (result = value));
  /** The result, after which nothing is left. */
  const end = async (): Promise<Exchanged> => {
    const ended = await done;
    t.equal(clock.pendingTimers, 0, 'no timer is left');
    t.ok(
      tries.every(one => !one.open),
      'no socket is left',
    );
    return ended;
  };
  const answer = (index: number, ip = '198.51.100.1'): Buffer =>
    encodeReply(tries[index]?.bytes ?? bytes, [ip]);
  return { answer, bytes, clock, end, nobody, refusing, result: () => result, tries };
}

test('the first server answers', async t => {
  const { answer, bytes, end, tries } = setUp(t);
  t.equal(tries.length, 1);
  t.equal(tries[0]?.bytes.readUInt16BE(0), 100, 'with an identifier of its own');
  t.same(tries[0]?.bytes.subarray(2), bytes.subarray(2), 'and no other byte changed');
  t.equal(bytes.readUInt16BE(0), 1, "nor one of the client's");
  tries[0]?.handler.onMessage(answer(0));
  t.match(await end(), { ok: true, server: SERVERS[0] });
});

test('what is no answer to it ends nothing', async t => {
  const { answer, end, result, tries } = setUp(t);
  const forged = answer(0);
  forged.writeUInt16BE(101, 0);
  tries[0]?.handler.onMessage(forged);
  await Promise.resolve();
  t.equal(result(), undefined);
  tries[0]?.handler.onMessage(answer(0));
  t.match(await end(), { ok: true });
});

test('a silent server: the next is asked after two seconds, and the first may still answer', async t => {
  const { answer, clock, end, tries } = setUp(t);
  clock.advance(1_999);
  t.equal(tries.length, 1);
  clock.advance(1);
  t.same(
    tries.map(({ server }) => server),
    SERVERS,
  );
  t.not(
    tries[1]?.bytes.readUInt16BE(0),
    tries[0]?.bytes.readUInt16BE(0),
    'each has an identifier of its own',
  );
  tries[0]?.handler.onMessage(answer(0));
  t.match(await end(), { ok: true, server: SERVERS[0] });
});

test('the only server is asked again; nobody answers within five seconds', async t => {
  const { clock, end, tries } = setUp(t, SERVERS.slice(0, 1));
  clock.advance(4_999);
  t.equal(tries.length, 3);
  clock.advance(1);
  t.same(await end(), { ok: false, reason: 'timeout', message: 'no answer within 5000 ms' });
});

test('a server that refuses: the next is asked at once; when all have, nobody is waited for', async t => {
  const { end, tries } = setUp(t);
  tries[0]?.handler.onFailure('ECONNREFUSED');
  t.equal(tries.length, 2);
  tries[1]?.handler.onFailure('ECONNREFUSED');
  t.same(await end(), { ok: false, reason: 'unreachable', message: 'ECONNREFUSED' });
});

test('a server that there is no way to counts as one that refuses', async t => {
  const { answer, clock, end, refusing, tries } = setUp(t);
  refusing.add('192.0.2.2');
  clock.advance(2_000);
  t.equal(tries.length, 1, 'the first may still answer');
  tries[0]?.handler.onMessage(answer(0));
  t.match(await end(), { ok: true });
});

test('no server at all', async t => {
  const { end } = setUp(t, []);
  t.same(await end(), { ok: false, reason: 'unreachable', message: 'no name server is known' });
});

test('nobody waits any more', async t => {
  const { end, nobody, tries } = setUp(t);
  nobody.abort();
  t.match(await end(), { ok: false });
  tries[0]?.handler.onFailure('closed');
});
