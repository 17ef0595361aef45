import fc from 'fast-check';
import { isIP } from 'node:net';
import { test } from 'tap';
import { cidrContains, formatCidr, makeCidr, parseCidr } from './cidr.ts';
import { canonicalIp, ipFromBytes, parseHostPort, parseIp } from './ip.ts';

const budgetMs = (Number(process.env['FUZZ_SECONDS'] ?? '1') * 1000) / 4;
const run = {
  numRuns: Number.MAX_SAFE_INTEGER,
  interruptAfterTimeLimit: budgetMs,
  markInterruptAsFailure: false,
};

/** Near-misses of addresses, which plain random text never is. */
const almostIp = fc.oneof(
  fc.ipV4Extended(),
  fc.ipV6(),
  fc.string({ unit: fc.constantFrom(...Array.from('0123456789abfF:.:.')), maxLength: 50 }),
  fc.string({ maxLength: 60 }),
);

test('an address parses exactly when node:net says it is one, and means the same as to the URL parser', t => {
  fc.assert(
    fc.property(almostIp, text => {
      const ours = canonicalIp(text);
      const known = text.includes('%') ? 0 : isIP(text);
      if ((ours !== undefined) !== (known !== 0)) throw new Error(`'${text}': ours ${ours}, node ${known}`);
      if (ours === undefined || !ours.includes(':')) return;
      const theirs = new URL(`http://[${text}]/`).hostname.slice(1, -1);
      if (theirs !== ours) throw new Error(`'${text}': ours ${ours}, URL ${theirs}`);
    }),
    run,
  );
  t.end();
});

test('bytes → text → bytes is the identity', t => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc
      .array(fc.constantFrom(0, 0, 0, 0xff, 1), { minLength: 16, maxLength: 16 })
      .map(a => Uint8Array.from(a)),
  );
  fc.assert(
    fc.property(bytes, input => {
      const text = ipFromBytes(input);
      if (text === undefined) throw new Error('no text');
      const back = parseIp(text);
      return (
        back !== undefined &&
        ipFromBytes(back) === text &&
        Buffer.compare(back, input.subarray(-back.length)) === 0
      );
    }),
    run,
  );
  t.end();
});

test('a range holds an address exactly when their first bits are equal', t => {
  const ip = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(ip, ip, fc.nat(128), (base, other, length) => {
      const cidr = makeCidr(base, length);
      const address = parseIp(other);
      if (cidr === undefined || address === undefined) return;
      const again = parseCidr(formatCidr(cidr));
      if (again === undefined || again.prefixLength !== cidr.prefixLength) throw new Error('not canonical');
      const equal =
        cidr.bytes.length === address.length &&
        bits(cidr.bytes).slice(0, cidr.prefixLength) === bits(address).slice(0, cidr.prefixLength);
      if (cidrContains(cidr, address) !== equal) throw new Error(`${formatCidr(cidr)} ${other}`);
    }),
    run,
  );
  t.end();
});

test('host and port of any text parse or do not, and what parses is a port', t => {
  const text = fc.oneof(
    fc.string(),
    fc.tuple(almostIp, fc.nat(99_999)).map(([host, port]) => `${host}:${port}`),
  );
  fc.assert(
    fc.property(text, input => {
      const parsed = parseHostPort(input);
      return parsed === undefined || (parsed.port > 0 && parsed.port < 65_536 && parsed.host !== '');
    }),
    run,
  );
  t.end();
});

function bits(bytes: Uint8Array): string {
  return [...bytes].map(b => b.toString(2).padStart(8, '0')).join('');
}
