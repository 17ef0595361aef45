import { test } from 'tap';
import { asksForTunnel, isConnect, opensTunnel } from './tunnel.ts';

const GET = { method: 'GET', upgrade: undefined };
const CONNECT = { method: 'CONNECT', upgrade: undefined };
const UPGRADE = { method: 'GET', upgrade: 'websocket' };
const EXTENDED = { method: 'CONNECT', upgrade: 'websocket' };

test('what asks for a tunnel', t => {
  t.same([GET, CONNECT, UPGRADE, EXTENDED].map(isConnect), [false, true, false, false]);
  t.same([GET, CONNECT, UPGRADE, EXTENDED].map(asksForTunnel), [false, true, true, true]);
  t.end();
});

test('which responses open it', t => {
  const rows: readonly (readonly [
    sentence: string,
    asked: typeof GET | typeof UPGRADE,
    statuses: number[],
  ])[] = [
    ['none to an ordinary request', GET, []],
    ['any 2xx to a CONNECT', CONNECT, [200, 204, 299]],
    ['101 to an upgrade', UPGRADE, [101]],
    ['101 to an extended CONNECT, as which the codecs show its 200', EXTENDED, [101]],
  ];
  for (const [sentence, asked, statuses] of rows) {
    const opening = [100, 101, 199, 200, 204, 299, 300, 403, 502].filter(status =>
      opensTunnel(asked, status),
    );
    t.same(opening, statuses, sentence);
  }
  t.end();
});
