import { globSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { AccessLog } from '#shared/observability/access-log.ts';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { RESPONSE_FLAGS, TCP_RESPONSE_FLAGS } from '#shared/observability/response-flags.ts';
import { lineWriter } from '#shared/testing/line-writer.ts';
import { requestHead } from '#shared/testing/request-head.ts';
import { service, workload } from '#shared/testing/topology.ts';
import {
  type ConnectionLine as WaypointConnectionLine,
  logConnection as logWaypointConnection,
} from '../waypoint/telemetry/connection-log.ts';
import { RequestLog, type RequestLine } from '../waypoint/telemetry/request-log.ts';
import { requestLine } from '../waypoint/testing/request-line.ts';
import { type ConnectionLine, logConnection } from '../ztunnel/telemetry/connection-log.ts';
import { codeOf, type MarkdownTable, parseTables } from './markdown.ts';

/** docs/access-log.md against the lines that are written. */
const TABLES = parseTables(readFileSync('docs/access-log.md', 'utf8'));
const FIELD_TABLES = TABLES.filter(table => table.header[0] === 'Field');

/** Before the fields of the line: the same for every logger. */
const ENVELOPE = ['time', 'level', 'scope', 'message'];

/** Names of the fields of one line, in order. */
function fieldsOf(write: (log: AccessLog) => void): string[] {
  let line = '';
  const writer = lineWriter(text => void (line = text));
  write(new AccessLog({ format: 'json', writer, now: () => 0, subject: 'connection' }));
  const record = parseJson(line);
  return isJsonObject(record) ? Object.keys(record).filter(name => !ENVELOPE.includes(name)) : [];
}

function documented(table: MarkdownTable | undefined): string[] {
  return (table?.rows ?? []).map(([field = '']) => codeOf(field)[0] ?? '');
}

function documentedAlways(table: MarkdownTable | undefined): string[] {
  const rows = (table?.rows ?? []).filter(([, , absent]) => absent === 'never');
  return rows.map(([field = '']) => codeOf(field)[0] ?? '');
}

const SOURCE = workload('orders-0', { addresses: ['10.0.0.1'] });
const DESTINATION = workload('payments-0', { addresses: ['10.0.0.2'] });
const IDENTITY = 'spiffe://cluster.local/ns/default/sa/orders-0';

const CONNECTION: ConnectionLine = {
  peers: {
    reporter: 'source',
    source: SOURCE,
    sourceIdentity: IDENTITY,
    destination: DESTINATION,
    destinationIdentity: IDENTITY,
    service: service('payments'),
    security: 'mutual_tls',
  },
  sourceAddress: '10.0.0.1:40000',
  destinationAddress: '10.0.0.2:15008',
  hboneAddress: '10.0.0.2:8080',
  bytesSent: 1,
  bytesReceived: 2,
  durationMs: 3,
  error: 'cut',
};

const BARE_CONNECTION: ConnectionLine = {
  ...CONNECTION,
  peers: {
    reporter: 'destination',
    source: undefined,
    sourceIdentity: undefined,
    destination: undefined,
    destinationIdentity: undefined,
    service: undefined,
    security: 'unknown',
  },
  destinationAddress: '',
  hboneAddress: '',
  error: undefined,
};

const REQUEST = requestLine({
  request: requestHead({
    authority: 'payments',
    headers: ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
  }),
  detail: 'why',
  grpcStatus: '0',
});

const BARE_REQUEST: RequestLine = {
  ...REQUEST,
  peers: { source: undefined, sourceIdentity: undefined },
  request: { ...REQUEST.request, headers: [] },
  endpoint: undefined,
  endpointPort: 0,
  endpointAddress: '',
  detail: undefined,
  grpcStatus: '',
  upstreamMs: -1,
};

test("ztunnel's connection line has the documented fields in the documented order", t => {
  t.same(
    fieldsOf(log => logConnection(log, CONNECTION)),
    documented(FIELD_TABLES[0]),
  );
  t.same(
    fieldsOf(log => logConnection(log, BARE_CONNECTION)),
    documentedAlways(FIELD_TABLES[0]),
    'never absent',
  );
  t.end();
});

test("the waypoint's request line has the documented fields in the documented order", t => {
  t.same(
    fieldsOf(log => new RequestLog(log).write(REQUEST)),
    documented(FIELD_TABLES[1]),
  );
  t.same(
    fieldsOf(log => new RequestLog(log).write(BARE_REQUEST)),
    documentedAlways(FIELD_TABLES[1]),
    'never absent',
  );
  t.end();
});

test("the waypoint's line of a connection that is not HTTP has the documented fields", t => {
  const line: WaypointConnectionLine = {
    peers: { ...CONNECTION.peers, reporter: 'waypoint' },
    sourceAddress: '10.0.0.1:40000',
    endpointAddress: '10.0.0.2:8080',
    flags: 'UC',
    bytesReceived: 1,
    bytesSent: 2,
    durationMs: 3,
    error: 'cut',
  };
  const nobody = {
    source: undefined,
    sourceIdentity: undefined,
    destination: undefined,
    destinationIdentity: undefined,
  };
  t.same(
    fieldsOf(log => logWaypointConnection(log, line)),
    documented(FIELD_TABLES[2]),
  );
  t.same(
    fieldsOf(log =>
      logWaypointConnection(log, {
        ...line,
        peers: { ...line.peers, ...nobody },
        endpointAddress: '',
        error: undefined,
      }),
    ),
    documentedAlways(FIELD_TABLES[2]),
    'never absent',
  );
  t.end();
});

/** The flags that code really writes, by the names of their table or as literals. */
function flagsInUse(flags: Readonly<Record<string, string>>, table: string, folder: string): string[] {
  const files = globSync(`src/${folder}/**/*.ts`).filter(f => !f.endsWith('.test.ts'));
  const text = files.map(f => readFileSync(f, 'utf8')).join('\n');
  const used = Object.entries(flags).filter(
    ([name, flag]) => text.includes(`${table}.${name}`) || new RegExp(`\\? '${flag}'|: '${flag}'`).test(text),
  );
  return [...new Set(['-', ...used.map(([, flag]) => flag)])].sort();
}

function documentedFlags(header: string): string[] {
  const rows = TABLES.find(table => table.header[0] === header)?.rows ?? [];
  return rows.map(([flag = '']) => codeOf(flag)[0] ?? '').sort();
}

test('the documented flags are those that are written', t => {
  t.same(documentedFlags('Request flag'), flagsInUse(RESPONSE_FLAGS, 'RESPONSE_FLAGS', 'waypoint'));
  t.same(
    documentedFlags('Connection flag'),
    flagsInUse(TCP_RESPONSE_FLAGS, 'TCP_RESPONSE_FLAGS', '{waypoint,ztunnel}'),
  );
  t.end();
});
