import { test } from 'tap';
import { RequestQueue } from './request-queue.ts';

/** Requests that end when they are told to, in the order in which they began. */
class Requests {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, () => void>();

  readonly request = (item: string): Promise<void> => {
    this.begun.push(item);
    return new Promise(resolve => this.#ends.set(item, resolve));
  };

  async end(item: string): Promise<void> {
    this.#ends.get(item)?.();
    await Promise.resolve();
  }
}

function setUp(maxConcurrent: number) {
  const requests = new Requests();
  return { requests, queue: new RequestQueue<string>(maxConcurrent, requests.request) };
}

test('so many at once; who waits for an answer goes first, and else who came first', async t => {
  const { requests, queue } = setUp(2);
  for (const item of ['a', 'b', 'c', 'd']) queue.add(item, 'Background');
  queue.add('e', 'RealTime');
  queue.add('d', 'Warmup');
  queue.add('e', 'Background');
  t.strictSame(requests.begun, ['a', 'b'], 'as many as there are places, at once');
  await requests.end('b');
  t.strictSame(requests.begun, ['a', 'b', 'e']);
  await requests.end('a');
  t.strictSame(requests.begun, ['a', 'b', 'e', 'd'], 'moved before one that came earlier');
  queue.delete('c');
  await requests.end('e');
  await requests.end('d');
  t.strictSame(requests.begun, ['a', 'b', 'e', 'd'], 'what was taken back is not requested');
});

test('it is idle when nothing waits and nothing is under way', async t => {
  const { requests, queue } = setUp(1);
  await queue.whenIdle();
  queue.add('a', 'Background');
  queue.add('b', 'Background');
  let isIdle = false;
  const idle = queue.whenIdle().then(() => (isIdle = true));
  await requests.end('a');
  t.equal(isIdle, false, 'the second one is under way');
  await requests.end('b');
  await idle;
  t.strictSame(requests.begun, ['a', 'b']);
});

test('closed: what waits is dropped, and nobody waits for what is under way', async t => {
  const { requests, queue } = setUp(1);
  queue.add('a', 'RealTime');
  queue.add('b', 'RealTime');
  const idle = queue.whenIdle();
  queue.close();
  await idle;
  await requests.end('a');
  queue.add('c', 'RealTime');
  t.strictSame(requests.begun, ['a']);
});
