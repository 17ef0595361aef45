import fc from 'fast-check';
import protobuf from 'protobufjs';
import { test } from 'tap';
import type { HeaderList } from '#shared/http/headers.ts';
import { readLoadReport } from './load-report.ts';

const Report = protobuf
  .parse(
    `syntax = "proto3";
    message Report {
      double cpu_utilization = 1; double mem_utilization = 2; uint64 rps = 3; map<string, double> request_cost = 4;
      map<string, double> utilization = 5; double rps_fractional = 6; double eps = 7; map<string, double> named_metrics = 8;
      double application_utilization = 9;
    }`,
    { keepCase: true },
  )
  .root.lookupType('Report');

function encoded(fields: object): string {
  return Buffer.from(Report.encode(fields).finish()).toString('base64');
}

const read = (fields: HeaderList): unknown => {
  const report = readLoadReport(fields);
  return report && Object.fromEntries(report);
};

const WHOLE = {
  cpu_utilization: 0.7,
  mem_utilization: 0.9,
  rps: 3,
  rps_fractional: 1000,
  eps: 2,
  named_metrics: { foo: 123, bar: 0.2 },
  utilization: { total: 0.5 },
  request_cost: { io: 4 },
  application_utilization: 0.8,
};
const READ = {
  cpu_utilization: 0.7,
  mem_utilization: 0.9,
  rps_fractional: 1000,
  eps: 2,
  'named_metrics.foo': 123,
  'named_metrics.bar': 0.2,
  'utilization.total': 0.5,
  'request_cost.io': 4,
  application_utilization: 0.8,
};
const text = (separator: string): string =>
  Object.entries(READ)
    .map(([name, value]) => `${name}${separator}${value}`)
    .join(', ');
const camel = { cpuUtilization: 0.7, rpsFractional: 10, namedMetrics: { aB: 1 } };

const FORMS: readonly [string, HeaderList, object][] = [
  ['text', ['endpoint-load-metrics', `TEXT ${text('=')}`], READ],
  ['text with colons', ['endpoint-load-metrics', `TEXT ${text(':')}`], READ],
  ['an exponent', ['endpoint-load-metrics', 'TEXT eps=1e-3'], { eps: 0.001 }],
  ['JSON', ['endpoint-load-metrics', `JSON ${JSON.stringify(WHOLE)}`], READ],
  [
    'JSON as protobuf writes it',
    ['endpoint-load-metrics', `JSON ${JSON.stringify(camel)}`],
    { cpu_utilization: 0.7, rps_fractional: 10, 'named_metrics.aB': 1 },
  ],
  ['protobuf', ['endpoint-load-metrics', `BIN ${encoded(WHOLE)}`], READ],
  ['protobuf as gRPC sends it', ['endpoint-load-metrics-bin', encoded(WHOLE).replace(/=+$/, '')], READ],
  [
    'gRPC goes before',
    ['endpoint-load-metrics', 'TEXT eps=1', 'endpoint-load-metrics-bin', encoded({ eps: 2 })],
    { eps: 2 },
  ],
];

test('a report of load, in each of its forms', t => {
  for (const [name, fields, expected] of FORMS) t.same(read(fields), expected, name);
  t.end();
});

const NONE: readonly [string, string][] = [
  ['nothing', ''],
  ['no form', 'cpu_utilization=0.7'],
  ['another form', 'YAML cpu_utilization: 0.7'],
  ['a name nobody knows', 'TEXT cpu=0.7'],
  ['a kind without a name', 'TEXT named_metrics.=0.7'],
  ['no value', 'TEXT cpu_utilization='],
  ['a value that is no number', 'TEXT cpu_utilization=NaN'],
  ['a value too large', 'TEXT cpu_utilization=1e999'],
  ['half a number', 'TEXT cpu_utilization=0.7.1'],
  ['a name twice', 'TEXT cpu_utilization=0.7,cpu_utilization=0.7'],
  ['half of it readable', 'TEXT cpu_utilization=0.7,what'],
  ['too long', `TEXT ${'named_metrics.a=1,'.repeat(1_000)}eps=1`],
  ['no JSON', 'JSON {'],
  ['JSON of something else', 'JSON [1]'],
  ['no protobuf', 'BIN /////w=='],
  ['a double that is none', `BIN ${encoded({ eps: Number.NaN })}`],
];

test('what is no report counts as none', t => {
  t.equal(read([]), undefined);
  for (const [name, value] of NONE) t.equal(read(['endpoint-load-metrics', value]), undefined, name);
  t.same(
    read(['endpoint-load-metrics', 'JSON {"cpu_utilization": "high", "x": 1}']),
    {},
    'what JSON says besides',
  );
  t.end();
});

test('whatever an endpoint sends, values are finite', t => {
  const form = fc.constantFrom('TEXT ', 'JSON ', 'BIN ', '');
  const value = fc.oneof(fc.string(), fc.base64String(), fc.json());
  fc.assert(
    fc.property(form, value, (prefix, content) => {
      const report = readLoadReport(['endpoint-load-metrics', prefix + content]);
      return [...(report?.values() ?? [])].every(number => Number.isFinite(number));
    }),
  );
  t.end();
});
