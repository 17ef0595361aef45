import type { ProblemRow } from '#shared/dashboard/frames.ts';
import { VERSION } from '#shared/config/version.ts';
import { CERTIFICATE_CHECKS } from '../../check/checks/certificates.ts';
import { CONTROL_PLANE_CHECKS } from '../../check/checks/control-plane.ts';
import { DATA_PLANE_CHECKS } from '../../check/checks/data-plane.ts';
import { type CheckResult, runChecks } from '../../check/check.ts';
import type { AskedProxy, ClusterSnapshot } from '../../check/cluster-snapshot.ts';
import { DOCS_PAGE } from '../../check/report.ts';
import type { Finding } from '../../commands/analyze.ts';
import type { ProxyRef } from '../../proxies.ts';
import type { ProxyStanding } from '../../proxy-standing.ts';
import { shortDuration } from '../../render/age.ts';
import { type Inventory, NO_INVENTORY } from './inventory.ts';
import type { KnownPolicy } from './policies.ts';

/** What is known of the mesh besides its traffic. */
export interface MeshState {
  readonly proxies: readonly ProxyRef[];
  /** Without what all of them know, which is in the inventory. */
  readonly asked: readonly AskedProxy[];
  readonly standings: readonly ProxyStanding[];
  readonly inventory: Inventory;
  readonly policies: readonly KnownPolicy[];
  readonly findings: readonly Finding[];
  /** What could not be asked. */
  readonly warnings: readonly string[];
}

export const NO_STATE: MeshState = {
  proxies: [],
  asked: [],
  standings: [],
  inventory: NO_INVENTORY,
  policies: [],
  findings: [],
  warnings: [],
};

/** Those of `check` that judge proxies alone, so that they hold of a mesh on one machine too. */
const PROXY_CHECKS: ReadonlySet<string> = new Set([
  'versions',
  'proxies-answer',
  'native-engine',
  'certificates-held',
  'certificates-renewed',
  'roots-agree',
  'roots-valid',
]);
const CHECKS = [...CONTROL_PLANE_CHECKS, ...DATA_PLANE_CHECKS, ...CERTIFICATE_CHECKS].filter(check =>
  PROXY_CHECKS.has(check.id),
);

/** Pure: what `analyze` and `check` say, errors first. */
export function problemsOf(state: MeshState, nowMs: number): ProblemRow[] {
  const checks = runChecks(CHECKS, snapshotOf(state, nowMs)).flatMap(problemsOfCheck);
  const behind = state.standings.flatMap(standing => problemsOfStanding(standing, nowMs));
  const all = [...state.findings, ...behind, ...checks];
  return [...all.filter(p => p.level === 'Error'), ...all.filter(p => p.level === 'Warning')];
}

/** A push is answered within milliseconds; one that takes so long is not about to be. */
const STALE_MS = 10_000;

function problemsOfStanding({ name, proxy, status }: ProxyStanding, nowMs: number): ProblemRow[] {
  const object = `${proxy.kind} ${name}`;
  if (status === undefined)
    return [
      {
        level: 'Error',
        object,
        field: 'discovery',
        message: 'is connected to no controller: it goes on with what it knew last',
        fix: `see its log for "discovery stream ended": ambientctl logs ${proxy.name}`,
      },
    ];
  return status.types.flatMap((type): ProblemRow[] => {
    const [field, fix] = [type.type, 'see: ambientctl proxy-status'];
    if (type.state === 'nack')
      return [{ level: 'Error', object, field, message: `has refused it: ${type.lastNack}`, fix }];
    const waitedMs = nowMs - Date.parse(type.sentAt);
    if (type.state !== 'stale' || !(waitedMs > STALE_MS)) return [];
    const message = `has not acknowledged what was sent ${shortDuration(waitedMs)} ago`;
    return [{ level: 'Warning', object, field, message, fix }];
  });
}

function problemsOfCheck({ description, id, outcome, severity }: CheckResult): ProblemRow[] {
  if (outcome.state !== 'failed') return [];
  const level = severity === 'fatal' ? 'Error' : 'Warning';
  return outcome.problems.map(message => ({
    level,
    object: `check ${id}`,
    field: description,
    message,
    fix: `see ${DOCS_PAGE}#${id}`,
  }));
}

/** Nothing of Kubernetes in it: what needs that is not run. */
function snapshotOf({ asked, standings }: MeshState, nowMs: number): ClusterSnapshot {
  return {
    nowMs,
    clientVersion: VERSION,
    serverVersion: '',
    nodes: [],
    namespaces: [],
    pods: [],
    services: [],
    crds: undefined,
    gateways: undefined,
    networkPolicies: undefined,
    leases: undefined,
    deployments: undefined,
    daemonSets: undefined,
    configMaps: undefined,
    events: undefined,
    proxies: asked,
    nodeReports: [],
    synced: standings.flatMap(({ status }) => status ?? []),
    rejected: undefined,
    others: undefined,
    unlisted: new Set(),
    forbidden: [],
  };
}
