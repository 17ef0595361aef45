import fc from 'fast-check';
import { test } from 'tap';
import { parseUriNames } from './subject-alt-names.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 0.5);

test('no text makes the parser fail, and a quoted name never yields a URI of its own', async t => {
  const special = fc.constantFrom('DNS:', 'URI:', ', ', '"', '\\', 'spiffe://a/b', ':', '\0');
  const limits = { numRuns: 1e9, interruptAfterTimeLimit: seconds * 1000, markInterruptAsFailure: false };
  fc.assert(
    fc.property(fc.array(fc.oneof(special, fc.string())), parts => {
      const text = parts.join('');
      parseUriNames(text);
      const quoted = parseUriNames(`DNS:${JSON.stringify(text)}, URI:end`);
      return quoted !== undefined && quoted.length === 1 && quoted[0] === 'end';
    }),
    limits,
  );
  t.pass();
});
