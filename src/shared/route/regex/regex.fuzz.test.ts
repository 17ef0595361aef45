import { setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../../testing/fuzz-run.ts';
import { compileRegex } from './regex.ts';

// The runtime's engine backtracks: some random pattern would keep it busy for minutes. It has a linear one to fall back to.
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');

/** Patterns both engines read alike: no RE2-only syntax, no quantifier on an assertion (JavaScript refuses it). */
const { pattern } = fc.letrec<{ pattern: string; atom: string; piece: string }>(tie => ({
  atom: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    fc.constantFrom('a', 'b', 'c', '.', '\\d', '\\w', '[ab]', '[^a]', '[a-c1]', '\\.', '\\x61', '[^\\d]'),
    tie('pattern').map(inner => `(?:${inner})`),
    tie('pattern').map(inner => `(${inner})`),
  ),
  piece: fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(tie('atom'), fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,2}', '{0,}', '*?', '+?'))
        .map(([atom, repeat]) => atom + repeat),
    },
    { weight: 1, arbitrary: fc.constantFrom('^', '$') },
  ),
  pattern: fc
    .array(
      fc.array(tie('piece'), { maxLength: 4 }).map(pieces => pieces.join('')),
      { minLength: 1, maxLength: 3 },
    )
    .map(options => options.join('|')),
}));

const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '.', '\n'), maxLength: 8 });

test('a pattern matches exactly what the runtime’s own engine matches as a whole', t => {
  fc.assert(
    fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 8 }), (source, texts) => {
      // A backtracking engine may need ages for more.
      if (source.length > 80) return;
      const ours = compileRegex(source);
      if (!ours.ok) {
        if (/more than|nest deeper/.test(ours.reason)) return;
        throw new Error(`${source}: ${ours.reason}`);
      }
      // JavaScript's dot leaves out more than RE2's; none of those is in the texts but the newline.
      const theirs = new RegExp(`^(?:${source})$`);
      for (const one of texts) {
        if (ours.regex.matches(one) !== theirs.test(one))
          throw new Error(`${source} on ${JSON.stringify(one)}`);
      }
    }),
    fuzzRun(2),
  );
  t.pass();
  t.end();
});

const anything = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(...Array.from('()[]{}|*+?^$\\.,-:<>=!PpQEdxia1')), maxLength: 40 }),
);

test('whatever the pattern, it is compiled or refused with a reason, and matching ends', t => {
  fc.assert(
    fc.property(anything, fc.string({ maxLength: 200 }), (source, input) => {
      const result = compileRegex(source);
      if (result.ok) result.regex.matches(input);
      else if (!/\(at character \d+ of the pattern\)$/.test(result.reason)) throw new Error(result.reason);
    }),
    fuzzRun(2),
  );
  t.pass();
  t.end();
});
