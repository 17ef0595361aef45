import { test } from 'tap';
import { parseJson } from '../config/json.ts';
import { lineWriter } from '../testing/line-writer.ts';
import { AccessLog } from './access-log.ts';
import type { LogWriter } from './line-sink.ts';
import { createLogger, LogLevels, parseLogLevel } from './logger.ts';

function capture(): LogWriter & { lines: string[] } {
  const lines: string[] = [];
  return { lines, ...lineWriter(line => void lines.push(line)) };
}

const now = (): number => Date.UTC(2026, 0, 2, 3, 4, 5);

test('text lines carry time, level, scope, message and fields', t => {
  const writer = capture();
  const log = createLogger({ scope: 'ztunnel', levels: new LogLevels(), format: 'text', writer, now });
  log.child('proxy').info('accepted', { peer: '10.0.0.1:80', n: 3, absent: undefined });
  t.same(writer.lines, ['2026-01-02T03:04:05.000Z\tinfo\tztunnel::proxy\taccepted\tpeer="10.0.0.1:80" n=3']);
  t.end();
});

test('a value from a peer cannot forge a line or send terminal controls', t => {
  const writer = capture();
  const log = createLogger({ scope: 's', levels: new LogLevels(), format: 'text', writer, now });
  log.warn('bad\nname', { sni: 'a\n2026 error "x" \u001b[31m \u2028 \u0085' });
  t.equal(writer.lines.length, 1);
  for (const c of ['\n', '\u001b', '\u2028', '\u0085']) t.notOk(writer.lines[0]?.includes(c));
  t.match(writer.lines[0], /bad\\u000aname/);
  t.end();
});

test('a scope without a level of its own takes its parent level, and levels change at run time', t => {
  const writer = capture();
  const levels = new LogLevels('info');
  const log = createLogger({ scope: 'ztunnel', levels, format: 'json', writer, now });
  const inbound = log.child('proxy').child('inbound');
  inbound.debug('hidden');
  levels.set('debug', 'ztunnel::proxy');
  inbound.debug('shown', { a: true });
  log.debug('hidden');
  levels.set('error');
  inbound.warn('hidden');
  t.same(writer.lines.map(parseJson), [
    {
      time: '2026-01-02T03:04:05.000Z',
      level: 'debug',
      scope: 'ztunnel::proxy::inbound',
      message: 'shown',
      a: true,
    },
  ]);
  t.end();
});

test('log levels parse without regard to case', t => {
  t.equal(parseLogLevel('DEBUG'), 'debug');
  t.equal(parseLogLevel('loud'), undefined);
  t.end();
});

test('the access log keeps the order of fields and leaves out what is undefined', t => {
  const text = capture();
  const json = capture();
  const fields = ['src.addr', '10.0.0.1:5', 'bytes_sent', 12, 'error', undefined];
  new AccessLog({ format: 'text', writer: text, now, subject: 'connection' }).write(
    'info',
    'complete',
    fields,
  );
  new AccessLog({ format: 'json', writer: json, now, subject: 'connection' }).write(
    'error',
    'failed',
    fields,
  );
  t.same(text.lines, [
    '2026-01-02T03:04:05.000Z\tinfo\taccess\tconnection complete\tsrc.addr="10.0.0.1:5" bytes_sent=12',
  ]);
  t.same(parseJson(json.lines[0] ?? ''), {
    time: '2026-01-02T03:04:05.000Z',
    level: 'error',
    scope: 'access',
    message: 'connection failed',
    'src.addr': '10.0.0.1:5',
    bytes_sent: 12,
  });
  t.end();
});
