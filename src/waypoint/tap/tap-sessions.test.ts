import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import type { TapEvent } from './tap-event.ts';
import { parseTap } from './tap-filter.ts';
import { MAX_TAPS, type TapCommand, type TapOutput, TapSessions } from './tap-sessions.ts';

function setup() {
  const clock = new FakeClock();
  const commands: TapCommand[] = [];
  const sessions = new TapSessions({ clock, command: command => void commands.push(command) });
  return { clock, commands, sessions };
}

class Output implements TapOutput {
  readonly lines: string[] = [];
  ended = false;
  full = false;

  writeLine(line: string): boolean {
    if (this.full) return false;
    this.lines.push(line);
    return true;
  }

  end(): void {
    this.ended = true;
  }
}

function request(query = '') {
  const parsed = parseTap(new URLSearchParams(query));
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.request;
}

const event = (kind: 'request' | 'response' | 'end', id: string): TapEvent => ({
  event: kind,
  id,
  fields: {},
});

test('a tap ends when its time is over, and the threads are told', t => {
  const { clock, commands, sessions } = setup();
  const output = new Output();
  sessions.start(request('duration=10s'), output);
  t.same(
    commands.map(c => c.kind),
    ['tap_start'],
  );
  t.equal(sessions.commands().length, 1, 'a thread that starts meanwhile taps too');
  clock.advance(10_000);
  t.ok(output.ended);
  t.same(
    commands.map(c => c.kind),
    ['tap_start', 'tap_stop'],
  );
  t.equal(clock.pendingTimers, 0);
  t.end();
});

test('with a limit the first requests are shown to their end, those of other threads included', t => {
  const { sessions } = setup();
  const output = new Output();
  sessions.start(request('limit=2'), output);
  const events = [
    event('request', '0:0'),
    event('request', '1:0'),
    event('request', '1:1'),
    event('end', '1:1'),
  ];
  sessions.onEvents(1, events);
  t.equal(output.lines.length, 2);
  sessions.onEvents(1, [event('end', '0:0'), event('response', '1:0')]);
  t.notOk(output.ended);
  sessions.onEvents(1, [event('end', '1:0')]);
  t.ok(output.ended);
  t.equal(output.lines.length, 5);
  t.end();
});

test('who hangs up, or does not keep up, holds nothing up', t => {
  const { commands, sessions } = setup();
  const output = new Output();
  const stop = sessions.start(request(), output);
  output.full = true;
  sessions.onEvents(1, [event('request', '0:0'), event('end', '0:0')]);
  output.full = false;
  stop?.();
  t.same(output.lines, ['{"event":"lost","lines":2}']);
  stop?.();
  t.same(
    commands.map(c => c.kind),
    ['tap_start', 'tap_stop'],
  );
  sessions.onEvents(1, [event('request', '0:1')]);
  t.equal(output.lines.length, 1);
  t.end();
});

test('so many taps may run beside each other and no more', t => {
  const { sessions } = setup();
  for (let i = 0; i < MAX_TAPS; i++) t.ok(sessions.start(request(), new Output()));
  t.equal(sessions.start(request(), new Output()), undefined);
  t.end();
});
