import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../../testing/fuzz-run.ts';
import { parseLogFilter } from './log-filter.ts';
import type { LogSubject } from './term.ts';

const subject: fc.Arbitrary<LogSubject> = fc.record({
  peers: fc.record({ sourceIdentity: fc.constantFrom(undefined, 'spiffe://td/ns/a/sa/b') }),
  sourceAddress: fc.constant('10.0.0.1:1'),
  endpointAddress: fc.constantFrom('', '10.0.0.2:80'),
  request: fc.constant(undefined),
  status: fc.constantFrom(0, 200, 404),
  grpcStatus: fc.constantFrom('', '14'),
  flags: fc.constantFrom('-', 'UF', 'UF,URX'),
  requestBytes: fc.nat(),
  responseBytes: fc.nat(),
  durationMs: fc.nat(),
});

/** An expression and what it is, found without the parser; undefined: it cannot be told. */
interface Known {
  readonly text: string;
  readonly is: (of: LogSubject) => boolean | undefined;
}

const LEAVES: readonly Known[] = [
  { text: 'true', is: () => true },
  { text: 'false', is: () => false },
  { text: 'connection.mtls', is: of => of.peers.sourceIdentity !== undefined },
  { text: 'response.code >= 400', is: of => (of.status === 0 ? undefined : of.status >= 400) },
  { text: 'response.flags!=0', is: of => of.flags !== '-' },
  { text: 'has(response.grpc_status)', is: of => of.grpcStatus !== '' },
  { text: 'request.method == "GET"', is: () => undefined },
];

/** CEL's tables of truth, written out. */
function joined(sign: '&&' | '||', a: boolean | undefined, b: boolean | undefined): boolean | undefined {
  const decides = sign === '||';
  if (a === decides || b === decides) return decides;
  return a === undefined || b === undefined ? undefined : !decides;
}

const { known } = fc.letrec<{ known: Known }>(tie => ({
  known: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(...LEAVES),
    tie('known').map(({ is, text }) => ({
      text: `!(${text})`,
      is: (of: LogSubject) => {
        const value = is(of);
        return value === undefined ? undefined : !value;
      },
    })),
    fc
      .tuple(tie('known'), fc.constantFrom('&&' as const, '||' as const), tie('known'))
      .map(([a, sign, b]) => ({
        text: `(${a.text}) ${sign} (${b.text})`,
        is: (of: LogSubject) => joined(sign, a.is(of), b.is(of)),
      })),
  ),
}));

test('an expression is what its parts are, and only what is true is logged', t => {
  fc.assert(
    fc.property(known, subject, ({ is, text }, of) => {
      const parsed = parseLogFilter(text);
      return parsed.ok && parsed.filter(of) === (is(of) === true);
    }),
    fuzzRun(2),
  );
  t.pass();
  t.end();
});

const PIECES =
  `response.code request.headers request.path.contains has duration in true 7 -1 1.5 7u "a" 'b' " ' \\ ( ) [ ] ! && || == < >= , . é`.split(
    ' ',
  );

test('whatever is written gets an answer, and what is taken can be asked', t => {
  const pieces = fc.array(fc.constantFrom(...PIECES), { maxLength: 24 });
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    pieces.map(of => of.join(' ')),
    pieces.map(of => of.join('')),
  );
  fc.assert(
    fc.property(text, subject, (written, of) => {
      const parsed = parseLogFilter(written);
      if (parsed.ok) return typeof parsed.filter(of) === 'boolean';
      const at = Number(/\(at character (\d+) of the expression\)$/.exec(parsed.problem)?.[1]);
      return at >= 0 && at <= written.length;
    }),
    fuzzRun(2),
  );
  t.pass();
  t.end();
});
