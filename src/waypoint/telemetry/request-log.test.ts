import { test } from 'tap';
import { AccessLog } from '#shared/observability/access-log.ts';
import { lineWriter } from '#shared/testing/line-writer.ts';
import { requestHead } from '#shared/testing/request-head.ts';
import { service } from '#shared/testing/topology.ts';
import { requestLine } from '../testing/request-line.ts';
import { hasFailed, RequestLog, type RequestLine } from './request-log.ts';

const LINE = requestLine({ request: requestHead({ method: 'GET', path: '/pay', authority: 'payments' }) });

/** The field of each line, of one log that writes them one after the other. */
function fieldOf(name: string, lines: readonly RequestLine[]): (string | undefined)[] {
  const found: (string | undefined)[] = [];
  const writer = lineWriter(text => void found.push(new RegExp(`[\\t ]${name}="([^"]*)"`).exec(text)?.[1]));
  const log = new RequestLog(new AccessLog({ format: 'text', writer, now: () => 0, subject: 'request' }));
  for (const line of lines) log.write(line);
  return found;
}

const NONE = { endpoint: undefined, endpointPort: 0, endpointAddress: '' };
const ROWS: readonly {
  name: string;
  field: string;
  lines: Partial<RequestLine>[];
  expected: (string | undefined)[];
}[] = [
  {
    name: 'the same client from another port',
    field: 'src.addr',
    lines: [{}, { sourceAddress: '10.0.0.1:40001' }, {}],
    expected: ['10.0.0.1:40000', '10.0.0.1:40001', '10.0.0.1:40000'],
  },
  {
    name: 'another client',
    field: 'src.workload',
    lines: [{}, { peers: { source: undefined, sourceIdentity: undefined } }, {}],
    expected: ['orders-0', undefined, 'orders-0'],
  },
  {
    name: 'the same endpoint in another service',
    field: 'dst.service',
    lines: [{}, { service: service('refunds') }, {}],
    expected: [
      'payments.default.svc.cluster.local',
      'refunds.default.svc.cluster.local',
      'payments.default.svc.cluster.local',
    ],
  },
  {
    name: 'the same endpoint at another port',
    field: 'dst.addr',
    lines: [{}, { endpointPort: 9090, endpointAddress: '10.0.0.2:9090' }, {}],
    expected: ['10.0.0.2:8080', '10.0.0.2:9090', '10.0.0.2:8080'],
  },
  {
    name: 'no endpoint',
    field: 'dst.workload',
    lines: [{}, NONE, {}],
    expected: ['payments-0', undefined, 'payments-0'],
  },
  {
    name: 'no endpoint, of another service',
    field: 'dst.service',
    lines: [NONE, { ...NONE, service: service('refunds') }],
    expected: ['payments.default.svc.cluster.local', 'refunds.default.svc.cluster.local'],
  },
];

for (const { expected, field, lines, name } of ROWS) {
  test(`what is rendered once is not taken for what differs: ${name}`, t => {
    t.same(
      fieldOf(
        field,
        lines.map(change => ({ ...LINE, ...change })),
      ),
      expected,
    );
    t.end();
  });
}

for (const [what, end, failed] of [
  ['what the service answered is no failure', { flags: '-', status: 404, grpcStatus: '' }, false],
  ['a status of the server is one', { flags: '-', status: 500, grpcStatus: '' }, true],
  [
    'what the waypoint ended is one, whatever its status',
    { flags: 'UAEX', status: 403, grpcStatus: '' },
    true,
  ],
  ['a status of gRPC that is the server’s fault is one', { flags: '-', status: 200, grpcStatus: '14' }, true],
  ['a status of gRPC that is the client’s is none', { flags: '-', status: 200, grpcStatus: '5' }, false],
] as const)
  test(`which requests have failed: ${what}`, t => {
    t.equal(hasFailed(end), failed);
    t.end();
  });
