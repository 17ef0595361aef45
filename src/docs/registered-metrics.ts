import { globSync, readFileSync } from 'node:fs';
import { Denials } from '#shared/authz/denials.ts';
import { createDiscoveryMetrics } from '#shared/discovery/discovery-metrics.ts';
import { registerHandshakes } from '#shared/engine/handshake-metrics.ts';
import { createCertificateMetrics } from '#shared/identity/certificate-metrics.ts';
import { Readiness } from '#shared/lifecycle/readiness.ts';
import { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { type FamilySnapshot, MetricSet } from '#shared/observability/metric-set.ts';
import { registerProcess } from '#shared/observability/process-metrics.ts';
import { TcpMetrics } from '#shared/observability/tcp-metrics.ts';
import { registerWorkerRestarts } from '#shared/observability/worker-restarts.ts';
import { StateFiles } from '#shared/state/state-files.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { SpanExporter } from '#shared/tracing/span-exporter.ts';
import { createCaMetrics } from '../controller/ca/ca-metrics.ts';
import { createServerMetrics } from '../controller/discovery/server-metrics.ts';
import { registerLeadership } from '../controller/kube/leader-metrics.ts';
import { SoleLeader } from '../controller/kube/leadership.ts';
import { createSourceMetrics } from '../controller/source/source-metrics.ts';
import { ClassifiedRequests } from '../waypoint/telemetry/classified-requests.ts';
import { EjectionTelemetry } from '../waypoint/telemetry/ejections.ts';
import { RequestMetrics } from '../waypoint/telemetry/request-metrics.ts';
import { RetryMetrics } from '../waypoint/telemetry/retries.ts';
import { createBoundGauges, createRefusedConnections } from '../ztunnel/connections/bound-metrics.ts';
import { createDnsMetrics } from '../ztunnel/dns/dns-metrics.ts';
import { ConnectionTables } from '../ztunnel/node/connection-tables.ts';
import { createNodeMetrics } from '../ztunnel/node/node-metrics.ts';

/** Registers what a process, or a thread of it, registers. */
interface Registrar {
  /** The text by which a tier's sources show that they use it. */
  readonly use: string;
  readonly register: (metrics: MetricSet) => void;
}

const REGISTRARS: readonly Registrar[] = [
  { use: 'registerProcess(', register: m => void registerProcess(m, 'tier', new Readiness()) },
  { use: 'createWorkerEnvironment(', register: m => void registerHandshakes(m) },
  { use: 'createDiscoveryMetrics(', register: m => void createDiscoveryMetrics(m, () => 0) },
  { use: 'createServerMetrics(', register: m => void createServerMetrics(m) },
  { use: 'createCaMetrics(', register: m => void createCaMetrics(m) },
  { use: 'createSourceMetrics(', register: m => void createSourceMetrics(m) },
  { use: 'registerLeadership(', register: m => void registerLeadership(m, 'lease', new SoleLeader()) },
  { use: 'new RequestMetrics(', register: m => void new RequestMetrics(m) },
  { use: 'new RetryMetrics(', register: m => void new RetryMetrics(m) },
  { use: 'new ClassifiedRequests(', register: m => void new ClassifiedRequests(m) },
  { use: 'new EjectionTelemetry(', register: m => void new EjectionTelemetry(m, quietLogger) },
  { use: 'createNodeMetrics(', register: m => void createNodeMetrics(m) },
  { use: 'createDnsMetrics(', register: m => void createDnsMetrics(m) },
  { use: 'startTracing(', register: m => void exportSpans(m) },
  { use: 'new TcpMetrics(', register: m => void new TcpMetrics(m) },
  { use: 'createBoundGauges(', register: m => void createBoundGauges(m) },
  { use: 'createRefusedConnections(', register: m => void createRefusedConnections(m) },
  { use: 'new Denials(', register: m => void new Denials(m) },
  { use: 'registerWorkerRestarts(', register: m => void registerWorkerRestarts(m) },
  { use: 'new ConnectionTables(', register: m => void watchTables(m) },
  { use: 'new StateFiles(', register: keepState },
  { use: 'createCertificateMetrics(', register: m => void createCertificateMetrics(m) },
];

/** Of nothing. */
function watchTables(metrics: MetricSet): ConnectionTables {
  const tables = new ConnectionTables({
    places: () => [],
    clock: new FakeClock(),
    logger: quietLogger,
    metrics,
  });
  tables.start();
  tables.stop();
  return tables;
}

/** Of a directory that is not there: nothing is written. */
function keepState(metrics: MetricSet): void {
  const files = new StateFiles({
    directory: '/nonexistent',
    clock: new FakeClock(),
    random: () => 0,
    logger: quietLogger,
    metrics,
    faults: new StandingFaults(),
  });
  files.file('configuration');
}

function exportSpans(metrics: MetricSet): SpanExporter {
  const transport = {
    address: '',
    send: () => Promise.resolve({ ok: true as const }),
    close: () => undefined,
  };
  return new SpanExporter({
    transport,
    encode: () => Buffer.alloc(0),
    clock: new FakeClock(),
    random: () => 0,
    logger: quietLogger,
    metrics,
  });
}

export const TIERS = ['ztunnel', 'waypoint', 'controller'] as const;
const NOT_PRODUCTION = /\.test\.ts$|\/testing\//;

/** All that runs in production of a folder of src/. */
export function sourcesOf(folder: string): string {
  const files = globSync(`src/${folder}/**/*.ts`).filter(f => !NOT_PRODUCTION.test(f));
  return files.map(f => readFileSync(f, 'utf8')).join('\n');
}

export interface RegisteredMetric {
  readonly family: FamilySnapshot;
  readonly tiers: readonly string[];
}

/** Each metric of ours, with the tiers that have it. */
export function registeredMetrics(): readonly RegisteredMetric[] {
  const sources = new Map(TIERS.map(tier => [tier, sourcesOf(tier)]));
  return REGISTRARS.flatMap(({ use, register }) => {
    const tiers = TIERS.filter(tier => sources.get(tier)?.includes(use) === true);
    const metrics = new MetricSet();
    register(metrics);
    return metrics.snapshot().map(family => ({ family, tiers }));
  });
}
