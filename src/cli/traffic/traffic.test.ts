import { test } from 'tap';
import { increases } from './increases.ts';
import { parsePrometheusText } from './prometheus-text.ts';
import { addRequests, countRequests, latencyQuantile, noRequests, successRate } from './request-count.ts';

/** [sentence, text, what is read] */
const TEXTS: readonly (readonly [string, string, readonly unknown[]])[] = [
  ['a series without labels', 'up 1', [['up', [], 1]]],
  ['comments and blanks are no samples', '# HELP up\n\nup 1\n', [['up', [], 1]]],
  ['a timestamp is passed over', 'up 1 1700000000000', [['up', [], 1]]],
  [
    'quotes, newlines and backslashes in values',
    String.raw`a{l="x\"y\n\\z"} 2`,
    [['a', [['l', 'x"y\n\\z']], 2]],
  ],
  ['braces and blanks in values', 'a{l="} 3 {"} 2', [['a', [['l', '} 3 {']], 2]]],
  [
    'infinities',
    'a +Inf\nb -Inf',
    [
      ['a', [], Infinity],
      ['b', [], -Infinity],
    ],
  ],
  ['what is malformed is passed over', 'a{l="x" 2\n=\nb 3', [['b', [], 3]]],
];

test('the Prometheus text format', t => {
  for (const [sentence, text, wanted] of TEXTS)
    t.same(
      parsePrometheusText(text).map(s => [s.name, [...s.labels], s.value]),
      wanted,
      sentence,
    );
  const [first] = parsePrometheusText('a{l="x"} 1');
  const [again, other] = parsePrometheusText('a{l="x"} 2\nb 1', undefined, first && [first]);
  t.equal(again?.labels, first?.labels, 'labels of a series that is known are not read again');
  t.equal(other?.name, 'b');
  t.same(
    parsePrometheusText('a 1\nb 2', name => name === 'b').map(s => s.name),
    ['b'],
    'only what is wanted',
  );
  t.end();
});

/** [sentence, before, after, growth] */
const COUNTERS: readonly (readonly [string, string, string, readonly number[]])[] = [
  ['a counter that grew', 'a 3', 'a 10', [7]],
  ['one that stood still', 'a 3', 'a 3', [0]],
  ['one whose process was started anew', 'a 100', 'a 4', [4]],
  ['one that was not there', 'b 1', 'a 5', [5]],
  ['one that has gone', 'a 5', 'b 1', [1]],
  ['each series for itself', 'a{l="x"} 1\na{l="y"} 9', 'a{l="x"} 2\na{l="y"} 3', [1, 3]],
];

test('what counters have grown by', t => {
  for (const [sentence, before, after, wanted] of COUNTERS)
    t.same(
      increases(parsePrometheusText(before), parsePrometheusText(after)).map(s => s.value),
      wanted,
      sentence,
    );
  t.end();
});

function counted(text: string): ReturnType<typeof noRequests> {
  const count = noRequests();
  for (const sample of parsePrometheusText(text)) countRequests(count, sample);
  return count;
}

/** [sentence, labels, whether it has failed] */
const OUTCOMES: readonly (readonly [string, string, boolean])[] = [
  ['200', 'response_code="200"', false],
  ['what the client did wrong', 'response_code="404"', false],
  ['a 5xx', 'response_code="503"', true],
  ['no answer', 'response_code="0"', true],
  ['gRPC OK', 'response_code="200",grpc_response_status="0"', false],
  ['a gRPC status', 'response_code="200",grpc_response_status="14"', true],
  ['an empty gRPC status', 'response_code="200",grpc_response_status=""', false],
];

test('which requests have failed', t => {
  for (const [sentence, labels, failed] of OUTCOMES)
    t.equal(successRate(counted(`istio_requests_total{${labels}} 4`)), failed ? 0 : 1, sentence);
  t.equal(successRate(noRequests()), undefined, 'of none it is not known');
  t.end();
});

/** [sentence, buckets, quantile, value] */
const QUANTILES: readonly (readonly [
  string,
  readonly (readonly [string, number])[],
  number,
  number | undefined,
])[] = [
  [
    'within the first bucket',
    [
      ['10', 10],
      ['+Inf', 10],
    ],
    0.5,
    5,
  ],
  [
    'within a later one',
    [
      ['10', 10],
      ['20', 20],
      ['+Inf', 20],
    ],
    0.75,
    15,
  ],
  [
    'buckets in any order',
    [
      ['+Inf', 20],
      ['20', 20],
      ['10', 10],
    ],
    0.75,
    15,
  ],
  [
    'an empty one below',
    [
      ['10', 0],
      ['20', 10],
      ['+Inf', 10],
    ],
    0.5,
    15,
  ],
  [
    'beyond the last bound: that bound',
    [
      ['10', 0],
      ['+Inf', 4],
    ],
    0.5,
    10,
  ],
  [
    'of nothing',
    [
      ['10', 0],
      ['+Inf', 0],
    ],
    0.5,
    undefined,
  ],
  ['without buckets', [], 0.5, undefined],
];

test('quantiles of a histogram', t => {
  for (const [sentence, buckets, q, wanted] of QUANTILES) {
    const lines = buckets.map(([le, n]) => `istio_request_duration_milliseconds_bucket{le="${le}"} ${n}`);
    t.equal(latencyQuantile(counted(lines.join('\n')), q), wanted, sentence);
  }
  t.end();
});

test('counts add up', t => {
  const sum = counted('istio_requests_total{response_code="200"} 3');
  addRequests(sum, counted('istio_requests_total{response_code="500"} 1'));
  t.match(sum, { requests: 4, failures: 1 });
  t.end();
});
