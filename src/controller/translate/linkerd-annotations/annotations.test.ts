import { test } from 'tap';
import { routeRule } from '#shared/testing/route.ts';
import { kubeObject } from '../../testing/golden-pairs.ts';
import { readLinkerdAnnotations, withAnnotations } from './annotations.ts';

const read = (annotations: Record<string, string>) =>
  readLinkerdAnnotations(kubeObject('Service', undefined, { annotations }));

const RETRIES: readonly [string, Record<string, string>, object | undefined][] = [
  [
    'one retry unless told',
    { 'retry.linkerd.io/http': '5xx' },
    { attempts: 1, on: ['5xx'], statusCodes: [] },
  ],
  [
    'a limit and the time of one try',
    {
      'retry.linkerd.io/http': 'gateway-error',
      'retry.linkerd.io/limit': '3',
      'retry.linkerd.io/timeout': '400ms',
    },
    { attempts: 3, on: ['gateway_error'], perTryTimeoutMs: 400 },
  ],
  [
    'statuses and ranges of them',
    { 'retry.linkerd.io/http': '503, 429,500-501' },
    { on: ['retriable_status_codes'], statusCodes: [429, 500, 501, 503] },
  ],
  [
    'statuses of gRPC',
    { 'retry.linkerd.io/grpc': 'unavailable,internal' },
    { on: ['grpc_unavailable', 'grpc_internal'] },
  ],
  ['no annotation of Linkerd', { 'example.com/retry': '5xx' }, undefined],
];

test('retries', async t => {
  for (const [name, annotations, expected] of RETRIES) {
    const { diagnostics, retry } = read(annotations);
    if (expected === undefined) t.equal(retry, undefined, name);
    else t.match(retry, expected, name);
    t.same(diagnostics, [], name);
  }
});

test('timeouts', async t => {
  const { timeouts } = read({
    'timeout.linkerd.io/request': '1s',
    'timeout.linkerd.io/response': '500ms',
    'timeout.linkerd.io/idle': '1m',
  });
  t.match(timeouts, { requestMs: 1000, responseMs: 500, idleMs: 60_000, backendRequestMs: undefined });
});

const ACCRUAL = 'balancer.linkerd.io/failure-accrual';
const RATE = 'balancer.alpha.linkerd.io/failure-accrual-success-rate';

test('failure accrual', async t => {
  t.match(read({ [ACCRUAL]: 'consecutive' }).failureAccrual, {
    consecutiveFailures: 7,
    successRate: undefined,
    minPenaltyMs: 1000,
    maxPenaltyMs: 60_000,
    jitter: 0.5,
  });
  const set = {
    [ACCRUAL]: 'consecutive',
    [`${ACCRUAL}-consecutive-max-failures`]: '3',
    [`${ACCRUAL}-consecutive-min-penalty`]: '2s',
    [`${ACCRUAL}-consecutive-max-penalty`]: '4s',
    [`${ACCRUAL}-consecutive-jitter-ratio`]: '0.1',
  };
  t.match(read(set).failureAccrual, {
    consecutiveFailures: 3,
    successRate: undefined,
    minPenaltyMs: 2000,
    maxPenaltyMs: 4000,
    jitter: 0.1,
  });
  t.match(read({ [ACCRUAL]: 'unified' }).failureAccrual, {
    consecutiveFailures: 7,
    successRate: { threshold: 0.8, windowMs: 10_000, minRequests: 5 },
    minPenaltyMs: 1000,
  });
  const unified = {
    [ACCRUAL]: 'unified',
    [`${ACCRUAL}-consecutive-max-failures`]: '0',
    [`${ACCRUAL}-consecutive-max-penalty`]: '1d',
    [`${RATE}-threshold`]: '0.95',
    [`${RATE}-window`]: '30s',
    [`${RATE}-min-requests`]: '100',
  };
  t.match(read(unified), {
    failureAccrual: {
      consecutiveFailures: 0,
      successRate: { threshold: 0.95, windowMs: 30_000, minRequests: 100 },
      maxPenaltyMs: 86_400_000,
    },
    diagnostics: [],
  });
  t.match(
    read({ [ACCRUAL]: 'unified', [`${RATE}-threshold`]: '0' }).failureAccrual,
    { consecutiveFailures: 7, successRate: undefined },
    'a threshold of 0 is off',
  );
});

const PENALIZE = 'balancer.alpha.linkerd.io/penalize-failures';
const BIASER = 'balancer.alpha.linkerd.io/load-biaser';

const PENALTIES: readonly [string, Record<string, string>, object | undefined][] = [
  ["Linkerd's defaults", { [PENALIZE]: 'true' }, { penaltyMs: 5_000, maxRetryAfterMs: 300_000 }],
  [
    'values of its own',
    { [PENALIZE]: ' T ', [`${BIASER}-penalty`]: '750ms', [`${BIASER}-max-retry-after`]: '1d' },
    { penaltyMs: 750, maxRetryAfterMs: 86_400_000 },
  ],
  ['no hints', { [PENALIZE]: '1', [`${BIASER}-max-retry-after`]: '0' }, { maxRetryAfterMs: 0 }],
  ['turned off', { [PENALIZE]: 'False' }, undefined],
];

test('penalties for failures', async t => {
  for (const [name, annotations, expected] of PENALTIES) {
    const { diagnostics, failurePenalty } = read(annotations);
    if (expected === undefined) t.equal(failurePenalty, undefined, name);
    else t.match(failurePenalty, expected, name);
    t.same(diagnostics, [], name);
  }
});

const WRONG: readonly [string, Record<string, string>, string, RegExp][] = [
  ['nothing to retry on', { 'retry.linkerd.io/http': '6xx' }, 'retry.linkerd.io/http', /"6xx" is nothing/],
  [
    'a range turned round',
    { 'retry.linkerd.io/http': '504-500' },
    'retry.linkerd.io/http',
    /"504-500" is nothing/,
  ],
  [
    'an unknown gRPC status',
    { 'retry.linkerd.io/grpc': 'broken' },
    'retry.linkerd.io/grpc',
    /no gRPC status/,
  ],
  ['a limit that is none', { 'retry.linkerd.io/limit': '-1' }, 'retry.linkerd.io/limit', /no whole number/],
  [
    'a timeout that is none',
    { 'timeout.linkerd.io/request': '10' },
    'timeout.linkerd.io/request',
    /not a duration/,
  ],
  ['an unknown mode', { [ACCRUAL]: 'magic' }, ACCRUAL, /no mode of failure accrual/],
  [
    'penalties turned round',
    { [ACCRUAL]: 'consecutive', [`${ACCRUAL}-consecutive-min-penalty`]: '2m' },
    `${ACCRUAL}-consecutive-min-penalty`,
    /longer than the longest/,
  ],
  [
    'a limit that retries nothing',
    { 'retry.linkerd.io/limit': '3' },
    'retry.linkerd.io/limit',
    /nothing says what is tried again/,
  ],
  [
    'half a failure',
    { [ACCRUAL]: 'consecutive', [`${ACCRUAL}-consecutive-max-failures`]: '1.5' },
    `${ACCRUAL}-consecutive-max-failures`,
    /no whole number/,
  ],
  [
    'a success rate without the mode unified',
    { [ACCRUAL]: 'consecutive', [`${RATE}-threshold`]: '0.9' },
    `${RATE}-threshold`,
    /no effect without the mode unified/,
  ],
  [
    'a success rate over 1',
    { [ACCRUAL]: 'unified', [`${RATE}-threshold`]: '80' },
    `${RATE}-threshold`,
    /no number from 0 to 1/,
  ],
  [
    'a window that is too short',
    { [ACCRUAL]: 'unified', [`${RATE}-window`]: '1ms' },
    `${RATE}-window`,
    /10 ms at least/,
  ],
  ['penalties turned on by a word', { [PENALIZE]: 'yes' }, PENALIZE, /neither true nor false/],
  [
    'a penalty for failures that are not penalized',
    { [PENALIZE]: 'false', [`${BIASER}-penalty`]: '2s' },
    `${BIASER}-penalty`,
    /no effect without .*penalize-failures/,
  ],
  [
    'a limit of hints that nobody goes by',
    { [`${BIASER}-max-retry-after`]: '1m' },
    `${BIASER}-max-retry-after`,
    /no effect without .*penalize-failures/,
  ],
  [
    'a penalty that is no duration',
    { [PENALIZE]: 'true', [`${BIASER}-penalty`]: '5' },
    `${BIASER}-penalty`,
    /not a duration/,
  ],
  [
    'a penalty of months',
    { [PENALIZE]: 'true', [`${BIASER}-penalty`]: '60d' },
    `${BIASER}-penalty`,
    /too long/,
  ],
  [
    'hints for failure accrual',
    { 'balancer.alpha.linkerd.io/failure-accrual-honor-retry-after': 'true' },
    'balancer.alpha.linkerd.io/failure-accrual-honor-retry-after',
    /no effect, as with Linkerd/,
  ],
  [
    'an annotation of Linkerd that is not known',
    { 'timeout.linkerd.io/requst': '1s' },
    'timeout.linkerd.io/requst',
    /not known/,
  ],
];

test('failure accrual is of a Service', async t => {
  const route = kubeObject('HTTPRoute', undefined, { annotations: { [ACCRUAL]: 'consecutive' } });
  const { diagnostics, failureAccrual } = readLinkerdAnnotations(route);
  t.equal(failureAccrual, undefined);
  t.match(diagnostics[0], { message: /no effect on a HTTPRoute/, fix: /annotate the Service/ });
});

test('penalties for failures are of a Service', async t => {
  const annotations = { [PENALIZE]: 'true', [`${BIASER}-penalty`]: '2s' };
  const { diagnostics, failurePenalty } = readLinkerdAnnotations(
    kubeObject('GRPCRoute', undefined, { annotations }),
  );
  t.equal(failurePenalty, undefined);
  t.match(
    diagnostics.map(({ field, message }) => `${field} ${message}`),
    [/penalize-failures has no effect on a GRPCRoute/, /load-biaser-penalty has no effect on a GRPCRoute/],
  );
});

test('a wrong annotation counts as not there, and that is said', async t => {
  for (const [name, annotations, key, message] of WRONG) {
    const { diagnostics } = read(annotations);
    t.match(diagnostics[0], { field: `metadata.annotations.${key}`, message, severity: 'ignored' }, name);
  }
});

test('what a rule says itself holds', async t => {
  const annotations = read({ 'retry.linkerd.io/http': '5xx', 'timeout.linkerd.io/request': '1s' });
  t.match(withAnnotations(routeRule({}), annotations), {
    retry: { on: ['5xx'] },
    timeouts: { requestMs: 1000 },
  });
  const timeouts = { requestMs: 5, backendRequestMs: undefined, responseMs: undefined, idleMs: undefined };
  t.match(withAnnotations(routeRule({ timeouts }), annotations), { timeouts: { requestMs: 5 } });
});
