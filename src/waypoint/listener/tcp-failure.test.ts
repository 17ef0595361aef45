import { test } from 'tap';
import { ChannelError } from '#shared/engine/channel.ts';
import type { TcpResponseFlag } from '#shared/observability/response-flags.ts';
import { FAILURES } from '../request/error-response.ts';
import { failureOf, NoEndpointError, OverflowError, tcpFlagOf, UnroutedError } from './tcp-failure.ts';

const rows: { name: string; error: ChannelError; log: string; metric: TcpResponseFlag }[] = [
  { name: 'no endpoint', error: new NoEndpointError('shop/db'), log: 'UH', metric: 'CONNECT' },
  { name: 'no route', error: new UnroutedError('no_route', 'none'), log: 'NR', metric: 'CONNECT' },
  {
    name: 'as many connections as the policy allows',
    error: new OverflowError('shop/db', { maxConnections: 2 }),
    log: 'UO',
    metric: 'UO',
  },
  {
    name: 'no descriptor left',
    error: new ChannelError('resource_exhausted', ''),
    log: 'UF',
    metric: 'CONNECT',
  },
  { name: 'refused by policy', error: new ChannelError('policy', ''), log: 'UAEX', metric: 'DENY' },
  {
    name: 'a handshake that failed',
    error: new ChannelError('tls_handshake', ''),
    log: 'UF',
    metric: 'TLS_FAILURE',
  },
  {
    name: 'an endpoint that refuses',
    error: new ChannelError('connect_refused', ''),
    log: 'UF',
    metric: 'CONNECT',
  },
];

for (const { name, error, log, metric } of rows) {
  test(`a connection that is not HTTP: ${name}`, t => {
    t.equal(FAILURES[failureOf(error)].flag, log);
    t.equal(tcpFlagOf(error), metric);
    t.end();
  });
}
