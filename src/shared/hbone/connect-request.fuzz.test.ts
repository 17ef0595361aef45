import fc from 'fast-check';
import { test } from 'tap';
import { canonicalIp, formatHostPort } from '../workload/ip.ts';
import { parseAuthority } from './authority.ts';
import { formatBaggage, parseBaggage } from './baggage.ts';
import { formatForwarded, parseForwarded } from './forwarded.ts';
import { isTraceparent } from './traceparent.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 1) / 3;
const limits = { numRuns: 1e9, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false };
const fragments = fc.array(
  fc.oneof(
    fc.constantFrom('for=', 'host=', '"', ';', ',', '=', '%', '[', ']', ':', '10.0.0.1', '::1', '\\', '80'),
    fc.string(),
  ),
);
const text = fragments.map(parts => parts.join(''));

test('no header text makes a parser fail, and what parses is written and read the same again', async t => {
  fc.assert(
    fc.property(text, value => {
      isTraceparent(value);
      const baggage = parseBaggage(value);
      const forwarded = parseForwarded(value);
      const sameBaggage =
        baggage === undefined ||
        formatBaggage(baggage) === '' ||
        formatBaggage(parseBaggage(formatBaggage(baggage)) ?? baggage) === formatBaggage(baggage);
      const written =
        forwarded === undefined || forwarded.source?.port === 0 ? '' : formatForwarded(forwarded);
      return (
        sameBaggage &&
        (written === '' ||
          formatForwarded(
            parseForwarded(written) ?? {
              source: undefined,
              host: 'differs',
            },
          ) === written)
      );
    }),
    limits,
  );
  t.pass();
});

test('an authority that parses is canonical', async t => {
  fc.assert(
    fc.property(text, value => {
      const parsed = parseAuthority(value);
      if (typeof parsed === 'string') return true;
      if (parsed.port < 1 || parsed.port > 65_535) return false;
      const again = parseAuthority(formatHostPort(parsed.host, parsed.port));
      const isIp = canonicalIp(parsed.host) === parsed.host;
      return typeof again !== 'string' && again.host === parsed.host && isIp === (parsed.hostKind === 'ip');
    }),
    limits,
  );
  t.pass();
});

test('every address survives as an authority', async t => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.integer({ min: 1, max: 65_535 }), (ip, port) => {
      const canonical = canonicalIp(ip);
      const parsed = parseAuthority(formatHostPort(ip, port));
      return typeof parsed !== 'string' && parsed.host === canonical && parsed.port === port;
    }),
    limits,
  );
  t.pass();
});
