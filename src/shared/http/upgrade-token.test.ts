import { test } from 'tap';
import { carriesRequests } from './upgrade-token.ts';

test('protocols that would carry requests past the proxy', t => {
  const rows: readonly (readonly [string, boolean])[] = [
    ['h2c', true],
    ['H2C', true],
    ['h2', true],
    ['h3', true],
    ['HTTP/2.0', true],
    ['TLS/1.2', true],
    ['websocket', false],
    ['WebSocket', false],
    ['SPDY/3.1', false],
    ['connect-udp', false],
    ['tcp', false],
  ];
  for (const [token, carries] of rows) t.equal(carriesRequests(token), carries, token);
  t.end();
});
