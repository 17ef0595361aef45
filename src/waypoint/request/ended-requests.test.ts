import { test } from 'tap';
import { createLogger, LogLevels } from '#shared/observability/logger.ts';
import { lineWriter } from '#shared/testing/line-writer.ts';
import { EndedRequests } from './ended-requests.ts';

/** Requests that say when they are written, and a turn that ends when told to. */
function setUp(withTurns: boolean) {
  const written: string[] = [];
  const lines: string[] = [];
  const turn: (() => void)[] = [];
  const logger = createLogger({
    scope: 'waypoint',
    levels: new LogLevels('info'),
    format: 'text',
    writer: lineWriter(line => lines.push(line)),
    now: () => 0,
  });
  const ended = new EndedRequests(withTurns ? fn => turn.push(fn) : undefined, logger);
  return {
    ended,
    written,
    lines,
    request: (name: string) => ({ write: () => void written.push(name) }),
    endTurn: () => {
      for (const fn of turn.splice(0)) fn();
    },
  };
}

test('records are written at the end of the turn, in the order in which requests have ended', async t => {
  const { ended, endTurn, request, written } = setUp(true);
  ended.add(request('first'));
  ended.add(request('second'));
  t.same(written, []);
  endTurn();
  t.same(written, ['first', 'second']);
  ended.add(request('third'));
  endTurn();
  t.same(written, ['first', 'second', 'third']);
});

test('where a turn has no end that is told, a record is written at once', async t => {
  const { ended, request, written } = setUp(false);
  ended.add(request('first'));
  t.same(written, ['first']);
});

test('who needs them now gets those that wait, and none is written twice', async t => {
  const { ended, endTurn, request, written } = setUp(true);
  ended.add(request('first'));
  ended.flush();
  t.same(written, ['first']);
  ended.add(request('second'));
  endTurn();
  t.same(written, ['first', 'second']);
});

test('a fault in one record costs no other', async t => {
  const { ended, endTurn, lines, request, written } = setUp(true);
  ended.add({
    write: () => {
      throw new Error('no such label');
    },
  });
  ended.add(request('second'));
  endTurn();
  t.same(written, ['second']);
  t.match(lines[0], /error.*a request could not be recorded.*no such label/);
});
