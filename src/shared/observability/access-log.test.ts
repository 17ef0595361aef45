import fc from 'fast-check';
import { test } from 'tap';
import { isJsonObject, parseJson } from '../config/json.ts';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { lineWriter } from '../testing/line-writer.ts';
import { AccessLog, type AccessValue } from './access-log.ts';
import { formatLogValue, type LogFormat } from './logger.ts';

const now = (): number => Date.UTC(2026, 0, 2, 3, 4, 5);
const HEAD = '2026-01-02T03:04:05.000Z\tinfo\taccess\trequest complete\t';

function logLines(format: LogFormat): { log: AccessLog; lines: string[] } {
  const lines: string[] = [];
  const writer = lineWriter(line => void lines.push(line));
  return { log: new AccessLog({ format, writer, now, subject: 'request' }), lines };
}

function textOf(fields: readonly AccessValue[]): string {
  const { log, lines } = logLines('text');
  log.write('info', 'complete', fields);
  return lines[0]?.slice(HEAD.length) ?? '';
}

const VALUES: readonly { name: string; value: AccessValue; text: string }[] = [
  { name: 'text is quoted', value: 'a b', text: '"a b"' },
  { name: 'empty text is quoted', value: '', text: '""' },
  { name: 'a quote is escaped', value: 'a"b', text: String.raw`"a\"b"` },
  { name: 'a backslash is escaped', value: 'a\\b', text: String.raw`"a\\b"` },
  { name: 'a line end cannot begin another line', value: 'a\nb', text: String.raw`"a\nb"` },
  { name: 'DEL is escaped', value: '\u007f', text: String.raw`"\u007f"` },
  { name: 'a Unicode line separator is escaped', value: '\u2028', text: String.raw`"\u2028"` },
  { name: 'other text is UTF-8', value: 'é €', text: '"é €"' },
  { name: 'zero', value: 0, text: '0' },
  { name: 'an integer', value: 1_234_567_890, text: '1234567890' },
  { name: 'a large integer', value: Number.MAX_SAFE_INTEGER, text: '9007199254740991' },
  { name: 'a negative integer', value: -12, text: '-12' },
  { name: 'a fraction', value: 1.25, text: '1.25' },
  { name: 'a boolean', value: true, text: 'true' },
];

for (const { name, text, value } of VALUES) {
  test(`a value of the access log: ${name}`, t => {
    t.equal(textOf(['x', value, 'y', 1]), `x=${text} y=1`);
    t.end();
  });
}

const DURATIONS: readonly [ms: number, text: string][] = [
  [0, '0.0ms'],
  [0.04, '0.0ms'],
  [0.05, '0.1ms'],
  [1.26, '1.3ms'],
  [9.94, '9.9ms'],
  [9.96, '10.0ms'],
  [10.4, '10ms'],
  [123_456, '123456ms'],
];

for (const [ms, text] of DURATIONS) {
  test(`a duration of ${ms} ms is written as ${text}`, t => {
    const { log, lines } = logLines('text');
    log.begin('info', 'complete');
    log.milliseconds('duration', ms);
    log.end();
    t.equal(lines[0], `${HEAD}duration="${text}"`);
    t.end();
  });
}

for (const format of ['text', 'json'] as const) {
  test(`what was rendered before stands in a line of ${format} as if it were written there`, t => {
    const { log, lines } = logLines(format);
    const first = log.render(['a', 'x', 'b', undefined]);
    const none = log.render(['c', undefined]);
    const last = log.render(['d', 2]);
    for (const field of ['', 'own']) {
      log.begin('info', 'complete');
      log.rendered(none);
      log.rendered(first);
      if (field !== '') log.field('own', field);
      log.rendered(last);
      log.end();
    }
    log.write('info', 'complete', ['a', 'x', 'd', 2]);
    log.write('info', 'complete', ['a', 'x', 'own', 'own', 'd', 2]);
    t.equal(lines[0], lines[2]);
    t.equal(lines[1], lines[3]);
    t.end();
  });
}

const anyField = fc.tuple(
  fc.stringMatching(/^[a-z_.]{1,20}$/),
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 5_000 }),
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.boolean(),
  ),
);

// oxlint-disable-next-line no-control-regex -- what may not be in a line is what is looked for
const LINE_BREAKER = /[\u0000-\u001f\u2028\u2029]/;

test('fuzz: whatever a peer sends, a line of text is one line of these fields', t => {
  fc.assert(
    fc.property(fc.array(anyField, { minLength: 1, maxLength: 5 }), fields => {
      const expected = fields.map(([name, value]) => `${name}=${formatLogValue(value)}`).join(' ');
      const line = textOf(fields.flat());
      return line === Buffer.from(expected).toString() && !LINE_BREAKER.test(line);
    }),
    fuzzRun(2),
  );
  t.end();
});

test('fuzz: a line of JSON has these fields', t => {
  fc.assert(
    fc.property(fc.uniqueArray(anyField, { maxLength: 5, selector: ([name]) => name }), fields => {
      const { log, lines } = logLines('json');
      log.write('info', 'complete', fields.flat());
      const record = parseJson(lines[0] ?? '');
      if (!isJsonObject(record)) return false;
      return fields.every(
        ([name, value]) => JSON.stringify(record[name]) === JSON.stringify(parseJson(JSON.stringify(value))),
      );
    }),
    fuzzRun(2),
  );
  t.end();
});
