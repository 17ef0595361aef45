import { DEFAULT_RETRY_POLICY } from '#shared/route/default-retry.ts';
import type { RetryCondition, RetryPolicy } from '#shared/route/model.ts';
import type { Fields } from '../decode.ts';
import { GRPC_RETRY_CONDITIONS } from '../grpc-retry-conditions.ts';

const MAX_ATTEMPTS = 100;

const CONDITIONS = new Map<string, RetryCondition>([
  ['connect-failure', 'connect_failure'],
  ['refused-stream', 'refused_stream'],
  ['reset', 'reset'],
  ['reset-before-request', 'reset_before_request'],
  ['gateway-error', 'gateway_error'],
  ['5xx', '5xx'],
  ['retriable-4xx', 'retriable_4xx'],
  ['retriable-status-codes', 'retriable_status_codes'],
  ...GRPC_RETRY_CONDITIONS,
]);

/** Conditions of Envoy's that never hold here. */
const NEVER_HOLD: readonly string[] = [
  'envoy-ratelimited',
  'retriable-headers',
  'http3-post-connect-failure',
];

/** `attempts` counts tries after the first; 0 turns retries off, and as in Istio it is 0 where it is not set. */
export function readRetries(fields: Fields): RetryPolicy {
  const attempts = fields.integer('attempts', 0, MAX_ATTEMPTS);
  const { on, statusCodes } = readRetryOn(fields);
  const backoff = fields.durationMs('backoff', '25ms') ?? DEFAULT_RETRY_POLICY.backoffBaseMs;
  const perTryTimeoutMs = fields.durationMs('perTryTimeout', '2s');
  const ignorePrevious = fields.boolean('retryIgnorePreviousHosts') ?? true;
  if (attempts === undefined && !fields.has('attempts'))
    fields.ignore('attempts', 'is not set, which is 0: nothing is tried again', 'set the number of retries');
  return {
    ...DEFAULT_RETRY_POLICY,
    attempts: attempts ?? 0,
    on,
    statusCodes,
    perTryTimeoutMs: perTryTimeoutMs === 0 ? undefined : perTryTimeoutMs,
    backoffBaseMs: backoff,
    remoteLocalities: fields.boolean('retryRemoteLocalities') ?? false,
    hostSelectionAttempts: ignorePrevious ? DEFAULT_RETRY_POLICY.hostSelectionAttempts : 0,
    backoffMaxMs: Math.max(DEFAULT_RETRY_POLICY.backoffMaxMs, backoff * 10),
  };
}

/** A comma-separated list of conditions and status codes. */
function readRetryOn(fields: Fields): Pick<RetryPolicy, 'on' | 'statusCodes'> {
  const names = (fields.string('retryOn') ?? '')
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '');
  if (names.length === 0) return { on: DEFAULT_RETRY_POLICY.on, statusCodes: [] };
  const on = new Set<RetryCondition>();
  const statusCodes: number[] = [];
  for (const name of names) {
    const condition = CONDITIONS.get(name);
    if (condition !== undefined) on.add(condition);
    else if (NEVER_HOLD.includes(name))
      fields.ignore('retryOn', `holds "${name}", which never holds here`, 'remove it');
    else if (/^[1-5]\d\d$/.test(name)) {
      on.add('retriable_status_codes');
      statusCodes.push(Number(name));
    } else {
      fields.reject(
        'retryOn',
        `holds "${name}", which is no condition`,
        `use status codes or ${[...CONDITIONS.keys()].join(', ')}`,
      );
    }
  }
  return { on: [...on], statusCodes };
}
