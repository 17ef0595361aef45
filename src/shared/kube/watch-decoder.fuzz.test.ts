import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { WatchDecoder, type WatchEvent } from './watch-decoder.ts';

const RUN = fuzzRun(2);
const EVENT: fc.Arbitrary<WatchEvent> = fc.record({
  type: fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'),
  object: fc.dictionary(
    fc.string(),
    fc.jsonValue().map(value => value as unknown),
  ),
});

test('events come out as they went in, wherever the bytes are cut', t => {
  fc.assert(
    fc.property(fc.array(EVENT), fc.array(fc.nat(4000)), (events, cuts) => {
      const bytes = Buffer.from(events.map(event => `${JSON.stringify(event)}\n`).join(''));
      const decoder = new WatchDecoder();
      const found: WatchEvent[] = [];
      let from = 0;
      for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
        const to = Math.min(cut, bytes.length);
        found.push(...decoder.push(bytes.subarray(from, to)));
        from = to;
      }
      return JSON.stringify(found) === JSON.stringify(events);
    }),
    RUN,
  );
  t.end();
});

test('anything else is refused with an error', t => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), text => {
      try {
        return new WatchDecoder().push(Buffer.from(`${text}\n`)).every(event => event.type !== undefined);
      } catch (error) {
        return error instanceof Error;
      }
    }),
    RUN,
  );
  t.end();
});

test('a line without end is refused before it fills the memory', t => {
  const decoder = new WatchDecoder();
  const chunk = Buffer.alloc(1024 * 1024, 'a');
  t.throws(() => {
    for (let i = 0; i < 20; i++) decoder.push(chunk);
  }, /a line of more than/);
  t.end();
});
