import type { Fields } from '../decode.ts';
import type {
  ConnectionPool,
  FailoverKey,
  ForwardTunnel,
  LocalityPolicy,
  OutlierDetection,
  ProxyProtocol,
  RetryConcurrency,
  TlsOrigination,
  TrafficPolicy,
} from '#shared/route/traffic-policy.ts';
import { readConnectionPool } from './connection-pool.ts';
import { readBalancing } from './load-balancer.ts';
import { readOutlierDetection } from './outlier-detection.ts';
import { readTls } from './tls.ts';
import { readTunnel } from './tunnel.ts';

/** A `trafficPolicy` in the parts that are overridden as one. Undefined is not set. */
export interface PolicyParts {
  readonly balancing: Balancing | undefined;
  readonly pool: ConnectionPool | undefined;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly tls: TlsOrigination | undefined;
  readonly retryConcurrency: RetryConcurrency | undefined;
  readonly proxyProtocol: ProxyProtocol | undefined;
  readonly tunnel: ForwardTunnel | undefined;
}

export interface LeveledParts extends PolicyParts {
  /** `portLevelSettings`: of what they may set, what they do not is the default, not what the service has. */
  readonly ports: readonly { readonly port: number; readonly parts: PolicyParts }[];
}

export interface Balancing extends Pick<TrafficPolicy, 'loadBalancer' | 'slowStart'> {
  readonly locality: LocalityRule | undefined;
}

/** With labels where the model has the workloads that have them. */
export type LocalityRule = Omit<LocalityPolicy, 'failoverPriority'> & {
  readonly failoverPriority: readonly (FailoverKey | LabelKey)[];
};

export interface LabelKey {
  readonly kind: 'label';
  readonly name: string;
  readonly value: string;
}

export const NO_PARTS: PolicyParts = Object.freeze({
  balancing: undefined,
  pool: undefined,
  outlierDetection: undefined,
  tls: undefined,
  retryConcurrency: undefined,
  proxyProtocol: undefined,
  tunnel: undefined,
});

/** @param namespace of the rule: whose Secrets it may name */
export function readTrafficPolicy(fields: Fields, namespace: string): LeveledParts {
  const parts = readParts(fields, namespace);
  const retryConcurrency = fields.object('retryBudget', readRetryBudget);
  const proxyProtocol = fields.object('proxyProtocol', readProxyProtocol);
  const ports = fields.objects('portLevelSettings', port => readPortLevel(port, namespace));
  const numbers = ports.map(({ port }) => port);
  const twice = numbers.find((port, index) => numbers.indexOf(port) !== index);
  if (twice !== undefined)
    fields.reject('portLevelSettings', `names port ${twice} twice`, 'put its settings together');
  const tunnel = fields.object('tunnel', readTunnel);
  return { ...parts, retryConcurrency, proxyProtocol, tunnel, ports };
}

function readPortLevel(fields: Fields, namespace: string): { port: number; parts: PolicyParts } {
  const port = fields.object('port', number => number.port('number'));
  if (port === undefined && !fields.has('port')) fields.reject('port', 'is required', 'set port.number');
  return { port: port ?? 0, parts: readParts(fields, namespace) };
}

function readParts(fields: Fields, namespace: string): PolicyParts {
  return {
    balancing: fields.object('loadBalancer', readBalancing),
    pool: fields.object('connectionPool', readConnectionPool),
    outlierDetection: fields.object('outlierDetection', readOutlierDetection),
    tls: fields.object('tls', tls => readTls(tls, namespace)),
    retryConcurrency: undefined,
    proxyProtocol: undefined,
    tunnel: undefined,
  };
}

function readProxyProtocol(fields: Fields): ProxyProtocol {
  return fields.oneOf('version', ['V1', 'V2']) === 'V2' ? 'v2' : 'v1';
}

/** Envoy's, which Istio leaves it to. */
const DEFAULT_PERCENT = 20;
const DEFAULT_MINIMUM = 3;

function readRetryBudget(fields: Fields): RetryConcurrency {
  const percent = fields.number('percent', 0, 100) ?? DEFAULT_PERCENT;
  const minimum = fields.integer('minRetryConcurrency', 0, 2 ** 32 - 1);
  if (minimum === 0)
    fields.ignore('minRetryConcurrency', `of 0 is ${DEFAULT_MINIMUM}, as in Istio`, 'set 1 or more');
  const intervalMs = fields.durationMs('budgetInterval', '10s') ?? 0;
  if (intervalMs !== 0 && (intervalMs < 1000 || intervalMs > 3_600_000))
    fields.reject('budgetInterval', 'must be 0, or from 1s to 1h', 'write a time such as 10s');
  return { ratio: percent / 100, minimum: minimum || DEFAULT_MINIMUM, intervalMs };
}
