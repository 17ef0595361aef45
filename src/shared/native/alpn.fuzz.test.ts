import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { chooseProtocol, encodeProtocols } from './alpn.ts';

const name = fc.string({ unit: fc.constantFrom('h', '2', '/', '1', '.'), minLength: 1, maxLength: 12 });

test("the server's first choice that the client offers", t => {
  const offer = encodeProtocols(['http/1.1', 'h2']);
  t.equal(chooseProtocol(offer, ['h2', 'http/1.1']), 10);
  t.equal(chooseProtocol(offer, ['http/1.1']), 1);
  t.equal(chooseProtocol(offer, ['h3']), undefined);
  t.equal(chooseProtocol(Buffer.from([2, 0x68]), ['h2']), undefined, 'a length beyond the list');
  t.equal(
    chooseProtocol(Buffer.from([0, 2, 0x68, 0x32]), ['h2']),
    undefined,
    'an empty name (RFC 7301 §3.1)',
  );
  t.end();
});

test('a list that we wrote is read as we wrote it, and no bytes lead outside the list', t => {
  fc.assert(
    fc.property(fc.array(name, { maxLength: 20 }), fc.array(name, { maxLength: 4 }), (offered, ours) => {
      const list = encodeProtocols(offered);
      const at = chooseProtocol(list, ours);
      const expected = ours.find(n => offered.includes(n));
      const found = at === undefined ? undefined : list.toString('latin1', at, at + (list[at - 1] ?? 0));
      if (found !== expected) throw new Error(`${found} instead of ${expected}`);
    }),
    fuzzRun(2),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
      const at = chooseProtocol(bytes, ['h2', 'http/1.1']);
      if (at === undefined) return;
      const text = Buffer.from(bytes).toString('latin1', at, at + (bytes[at - 1] ?? 0));
      if (text !== 'h2' && text !== 'http/1.1') throw new Error(text);
    }),
    fuzzRun(2),
  );
  t.end();
});
