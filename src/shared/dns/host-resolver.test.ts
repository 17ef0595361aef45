import { test } from 'tap';
import { loggerInto } from '../testing/logger-into.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import type { HostAddresses } from './host-lookup.ts';
import { HostResolver } from './host-resolver.ts';

interface Ask {
  readonly hostname: string;
  answer(...ips: readonly string[]): Promise<void>;
  answerFor(ttlMs: number | undefined, ...ips: readonly string[]): Promise<void>;
  fail(message: string): Promise<void>;
}

/** A resolver whose name server answers when told. */
function lab() {
  const clock = new FakeClock();
  const asks: Ask[] = [];
  const changes: string[] = [];
  const lines: string[] = [];
  const resolver = new HostResolver({
    clock,
    random: () => 0.5,
    logger: loggerInto(lines, { scope: 'dns' }),
    lookup: hostname =>
      new Promise<HostAddresses>((resolve, reject) => {
        const settled = async (): Promise<void> => void (await new Promise(done => setImmediate(done)));
        const answerFor = (ttlMs: number | undefined, ...ips: readonly string[]): Promise<void> => {
          resolve({ ips, ttlMs });
          return settled();
        };
        asks.push({
          hostname,
          answer: (...ips) => answerFor(30_000, ...ips),
          answerFor,
          fail: message => {
            reject(new Error(message));
            return settled();
          },
        });
      }),
    onChange: (hostname, ips) => void changes.push(`${hostname} ${ips.join()}`),
  });
  return { asks, changes, clock, lines, resolver };
}

test('a name is asked for at once, and again when its time is over', async t => {
  const { asks, changes, clock, resolver } = lab();
  resolver.watch('a');
  resolver.watch('a');
  t.equal(asks.length, 1, 'once');
  t.same(resolver.addresses('a'), []);
  await asks[0]?.answer('10.0.0.2', '10.0.0.1', '10.0.0.2');
  t.same(changes, ['a 10.0.0.1,10.0.0.2'], 'sorted, each once');
  t.same(resolver.addresses('a'), ['10.0.0.1', '10.0.0.2']);
  clock.advance(30_000);
  t.equal(asks.length, 1);
  clock.advance(3_000);
  t.equal(asks.length, 2);
  await asks[1]?.answer('10.0.0.1', '10.0.0.2');
  t.equal(changes.length, 1, 'the same in another order is no change');
  resolver.close();
  t.equal(clock.pendingTimers, 0);
});

const TIMES: readonly (readonly [string, number | undefined, number])[] = [
  ['a time of nothing is five seconds', 0, 5_000],
  ['a time of a week is five minutes', 604_800_000, 300_000],
  ['without a time it is a minute', undefined, 60_000],
];

test('how long an answer is used', async t => {
  for (const [name, ttlMs, expectedMs] of TIMES) {
    const { asks, clock, resolver } = lab();
    resolver.watch('a');
    await asks[0]?.answerFor(ttlMs, '10.0.0.1');
    clock.advance(expectedMs - 1);
    t.equal(asks.length, 1, name);
    clock.advance(expectedMs * 0.05 + 1);
    t.equal(asks.length, 2, name);
    resolver.close();
  }
});

test('what was found last stays while the name cannot be resolved; asked for with growing pauses', async t => {
  const { asks, changes, clock, lines, resolver } = lab();
  resolver.watch('a');
  await asks[0]?.answer('10.0.0.1');
  clock.advance(33_000);
  await asks[1]?.fail('SERVFAIL');
  clock.advance(1_000);
  await asks[2]?.answer();
  clock.advance(1_999);
  t.equal(asks.length, 3);
  clock.advance(1);
  t.equal(asks.length, 4);
  t.same(resolver.addresses('a'), ['10.0.0.1']);
  t.equal(lines.length, 1, 'said once');
  t.match(lines[0], /name not resolved.*hostname="?a.*SERVFAIL/);
  await asks[3]?.answer('10.0.0.9');
  t.same(changes, ['a 10.0.0.1', 'a 10.0.0.9']);
  resolver.close();
});

test('a name server that says nothing is given up, and its late answer is nobody’s', async t => {
  const { asks, changes, clock, lines, resolver } = lab();
  resolver.watch('a');
  clock.advance(10_000);
  t.match(lines[0], /no answer within 10 s/);
  await asks[0]?.answer('10.0.0.1');
  t.same(changes, []);
  clock.advance(1_000);
  t.equal(asks.length, 2);
  resolver.close();
});

test('eight names are asked for at a time', async t => {
  const { asks, resolver } = lab();
  for (let i = 0; i < 20; i++) resolver.watch(`n${i}`);
  t.equal(asks.length, 8);
  await asks[3]?.answer('10.0.0.1');
  t.equal(asks.length, 9);
  resolver.unwatch('n9');
  await asks[0]?.fail('x');
  t.equal(asks.at(-1)?.hostname, 'n10', 'one that nobody waits for any more is passed over');
  resolver.close();
});

test('what may come of one name, and of all of them, is bounded', async t => {
  const { asks, changes, lines, resolver } = lab();
  resolver.watch('a');
  await asks[0]?.answer(...Array.from({ length: 100 }, (_, i) => `10.0.0.${i}`));
  t.equal(changes[0]?.split(',').length, 64);
  for (let i = 0; i < 2_048; i++) resolver.watch(`n${i}`);
  t.match(lines.at(-1), /more than 2048 names/);
  resolver.close();
});

test('an answer for a name that is not watched any more changes nothing', async t => {
  const { asks, changes, clock, resolver } = lab();
  resolver.watch('a');
  resolver.unwatch('a');
  await asks[0]?.answer('10.0.0.1');
  t.same(changes, []);
  t.equal(clock.pendingTimers, 0);
});
