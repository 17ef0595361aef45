import { test } from 'tap';
import { ConfigError, EnvReader, formatDuration, parseDuration } from './env-reader.ts';

test('every wrong variable is reported at once, with its value and what is accepted', t => {
  const env = new EnvReader({ WORKERS: 'many', TTL: '5 minutes', MODE: 'loud', FLAG: 'maybe', IP: '10.0.0' });
  env.integer('WORKERS', 2, { min: 1, max: 64 }, 'threads');
  env.durationMs('TTL', '24h', { minMs: 60_000, maxMs: 86_400_000 }, 'lifetime');
  env.oneOf('MODE', ['shared', 'dedicated'], 'shared', 'mode');
  env.boolean('FLAG', false, 'flag');
  env.ip('IP', '127.0.0.1', 'address');
  env.required('NODE_NAME', 'name of the node');
  const error = t.throws(() => env.finish(), ConfigError);
  t.ok(error instanceof ConfigError);
  if (error instanceof ConfigError) {
    t.same(error.problems, [
      'WORKERS: "many" is not accepted; use integer 1–64',
      'TTL: "5 minutes" is not accepted; use duration 1m–1d',
      'MODE: "loud" is not accepted; use shared | dedicated',
      'FLAG: "maybe" is not accepted; use true or false',
      'IP: "10.0.0" is not accepted; use IPv4 or IPv6 address',
      'NODE_NAME: is not set; it is required: name of the node',
    ]);
  }
  t.end();
});

test('defaults hold for what is not set or blank', t => {
  const env = new EnvReader({ WORKERS: '  ' });
  t.equal(env.integer('WORKERS', 2, { min: 1, max: 64 }, ''), 2);
  t.equal(env.durationMs('TTL', '24h', { minMs: 0, maxMs: 1e12 }, ''), 86_400_000);
  t.equal(env.string('NAME', 'x', ''), 'x');
  t.equal(env.optional('OTHER', ''), undefined);
  t.doesNotThrow(() => env.finish());
  t.same(
    env.declared.map(v => v.name),
    ['WORKERS', 'TTL', 'NAME', 'OTHER'],
  );
  t.end();
});

const DURATIONS: readonly (readonly [string, number | undefined])[] = [
  ['250ms', 250],
  ['10s', 10_000],
  ['1.5m', 90_000],
  ['24h', 86_400_000],
  ['10', undefined],
  ['-1s', undefined],
  ['1h30m', undefined],
];
test('durations', t => {
  for (const [text, ms] of DURATIONS) t.equal(parseDuration(text), ms, text);
  t.equal(formatDuration(90_000), '90s');
  t.equal(formatDuration(0), '0ms');
  t.end();
});
