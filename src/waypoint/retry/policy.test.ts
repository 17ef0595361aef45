import { test } from 'tap';
import type { ExchangeErrorCode } from '#shared/http/exchange.ts';
import type { RetryCondition, RetryPolicy } from '#shared/route/model.ts';
import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import { shouldRetry, type RetryFacts, type TryOutcome } from './policy.ts';

const FACTS: RetryFacts = { method: 'POST', replayable: true, responseStarted: false, retries: 0 };
const GET: RetryFacts = { ...FACTS, method: 'GET' };

const failed = (code: ExchangeErrorCode, over: Partial<TryOutcome & { kind: 'error' }> = {}): TryOutcome => ({
  kind: 'error',
  code,
  requestSent: true,
  reusedConnection: false,
  ...over,
});
const answered = (status: number, grpcStatus?: number): TryOutcome => ({
  kind: 'response',
  status,
  grpcStatus,
});
const on = (...conditions: RetryCondition[]): RetryPolicy => ({ ...DEFAULT_RETRY_POLICY, on: conditions });
const STALE = { reusedConnection: true };

const ROWS: readonly [string, RetryPolicy, TryOutcome, RetryFacts, boolean][] = [
  [
    'a failed connect is tried again by default',
    DEFAULT_RETRY_POLICY,
    failed('connect_failure'),
    FACTS,
    true,
  ],
  [
    'a refused stream is tried again by default',
    DEFAULT_RETRY_POLICY,
    failed('refused_before_sending'),
    FACTS,
    true,
  ],
  ['gRPC UNAVAILABLE is tried again by default', DEFAULT_RETRY_POLICY, answered(200, 14), FACTS, true],
  ['gRPC CANCELLED is tried again by default', DEFAULT_RETRY_POLICY, answered(200, 1), FACTS, true],
  ['gRPC OK is not', DEFAULT_RETRY_POLICY, answered(200, 0), FACTS, false],
  ['a 503 is not by default: the service may mean it', DEFAULT_RETRY_POLICY, answered(503), GET, false],
  [
    'a reset is not by default: the request may have had its effect',
    DEFAULT_RETRY_POLICY,
    failed('reset'),
    GET,
    false,
  ],
  ['a timeout is not by default', DEFAULT_RETRY_POLICY, failed('timeout'), GET, false],
  [
    'a reused connection that closes is tried again',
    DEFAULT_RETRY_POLICY,
    failed('connection_closed', STALE),
    GET,
    true,
  ],
  ['…that resets, too', DEFAULT_RETRY_POLICY, failed('reset', STALE), GET, true],
  [
    '…but not for a method that is not idempotent',
    DEFAULT_RETRY_POLICY,
    failed('connection_closed', STALE),
    FACTS,
    false,
  ],
  [
    'what was not sent, on a reused connection, is sent on another, whatever the method and the policy',
    { ...DEFAULT_RETRY_POLICY, attempts: 0, on: [] },
    failed('refused_before_sending', STALE),
    FACTS,
    true,
  ],
  [
    '…once',
    { ...DEFAULT_RETRY_POLICY, attempts: 1, on: [] },
    failed('refused_before_sending', STALE),
    { ...FACTS, retries: 1 },
    false,
  ],
  [
    '…unless its body is gone',
    DEFAULT_RETRY_POLICY,
    failed('refused_before_sending', STALE),
    { ...FACTS, replayable: false },
    false,
  ],
  [
    'a 503 is tried again when its code is named',
    { ...DEFAULT_RETRY_POLICY, statusCodes: [503] },
    answered(503),
    FACTS,
    true,
  ],
  [
    'a code that is not named is not',
    { ...DEFAULT_RETRY_POLICY, statusCodes: [503] },
    answered(500),
    FACTS,
    false,
  ],
  ['5xx takes every 5xx', on('5xx'), answered(500), FACTS, true],
  ['5xx does not take a 499', on('5xx'), answered(499), FACTS, false],
  ['5xx takes a reset', on('5xx'), failed('reset'), FACTS, true],
  ['5xx takes a timeout', on('5xx'), failed('timeout'), FACTS, true],
  ['gateway-error takes 502, 503 and 504', on('gateway_error'), answered(504), FACTS, true],
  ['gateway-error does not take a 500', on('gateway_error'), answered(500), FACTS, false],
  ['reset takes a broken exchange', on('reset'), failed('connection_closed'), FACTS, true],
  ['reset takes a failed connect', on('reset'), failed('connect_failure'), FACTS, true],
  ['reset takes a try that had no answer in time', on('reset'), failed('timeout'), FACTS, true],
  ['reset does not take an answer', on('reset'), answered(503), FACTS, false],
  [
    'reset-before-request takes what was not sent',
    on('reset_before_request'),
    failed('reset', { requestSent: false }),
    FACTS,
    true,
  ],
  ['…and not what was', on('reset_before_request'), failed('reset'), FACTS, false],
  ['retriable-4xx takes 409', on('retriable_4xx'), answered(409), FACTS, true],
  ['retriable-4xx does not take 404', on('retriable_4xx'), answered(404), FACTS, false],
  ['gRPC DEADLINE_EXCEEDED', on('grpc_deadline_exceeded'), answered(200, 4), FACTS, true],
  ['gRPC RESOURCE_EXHAUSTED', on('grpc_resource_exhausted'), answered(200, 8), FACTS, true],
  ['gRPC INTERNAL', on('grpc_internal'), answered(200, 13), FACTS, true],
  ['a request the client gave up is never tried again', on('5xx'), failed('cancelled', STALE), GET, false],
  [
    'a body that is gone cannot be sent again',
    on('5xx'),
    answered(503),
    { ...GET, replayable: false },
    false,
  ],
  [
    'a response that has begun cannot be taken back',
    on('5xx'),
    failed('reset'),
    { ...GET, responseStarted: true },
    false,
  ],
  ['the number of attempts is a limit', on('5xx'), answered(503), { ...GET, retries: 2 }, false],
  ['up to which it is tried', on('5xx'), answered(503), { ...GET, retries: 1 }, true],
  [
    'attempts 0 turns retries off',
    { ...on('5xx'), attempts: 0 },
    failed('connect_failure', STALE),
    GET,
    false,
  ],
];

test('shouldRetry', async t => {
  for (const [name, policy, outcome, facts, expected] of ROWS)
    t.equal(shouldRetry(policy, outcome, facts), expected, name);
});
