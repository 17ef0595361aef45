import { test } from 'tap';
import { parseLogFilter } from '#shared/route/log-filter/log-filter.ts';
import { type ConnectionLine, logSubject } from './connection-log.ts';

const LINE: ConnectionLine = {
  peers: {
    reporter: 'waypoint',
    source: undefined,
    sourceIdentity: 'spiffe://cluster.local/ns/shop/sa/orders',
    destination: undefined,
    destinationIdentity: undefined,
    service: undefined,
    security: 'mutual_tls',
  },
  sourceAddress: '10.0.0.1:40000',
  endpointAddress: '',
  flags: 'UF',
  bytesReceived: 1,
  bytesSent: 2,
  durationMs: 3,
  error: 'refused',
};

test('a filter of the log sees who connected and how it ended, and nothing of HTTP', t => {
  const logged = (text: string): unknown => {
    const parsed = parseLogFilter(text);
    return parsed.ok ? parsed.filter(logSubject(LINE)) : parsed.problem;
  };
  t.equal(logged("connection.mtls && response.flags != 0 && source.address.startsWith('10.')"), true);
  t.equal(logged('has(response.code) || has(request.method) || has(upstream.address)'), false);
  t.equal(logged('response.code >= 0'), false);
  t.end();
});
