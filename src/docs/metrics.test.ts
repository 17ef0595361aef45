import { globSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { createDiscoveryMetrics } from '#shared/discovery/discovery-metrics.ts';
import { createCertificateMetrics } from '#shared/identity/certificate-metrics.ts';
import { registerBuild } from '#shared/observability/build-info.ts';
import { type FamilySnapshot, MetricSet } from '#shared/observability/metric-set.ts';
import { registerWorkerRestarts } from '#shared/observability/worker-restarts.ts';
import { createServerMetrics } from '../controller/discovery/server-metrics.ts';
import { createNodeMetrics } from '../ztunnel/node/node-metrics.ts';
import { REQUEST_LABELS } from '#shared/route/telemetry-policy.ts';
import { ClassifiedRequests } from '../waypoint/telemetry/classified-requests.ts';
import { RequestMetrics } from '../waypoint/telemetry/request-metrics.ts';
import { quietLogger } from '#shared/testing/quiet-logger.ts';
import { EjectionTelemetry } from '../waypoint/telemetry/ejections.ts';
import { SpanExporter } from '#shared/tracing/span-exporter.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { TCP_LABELS, TcpMetrics } from '#shared/observability/tcp-metrics.ts';
import { codeOf, generatedPart, parseTables, renderTable } from './markdown.ts';

/** docs/metrics.md against what the tiers register. `UPDATE_DOCS=1 tap src/docs/metrics.test.ts` rewrites its first table. */
const FILE = 'docs/metrics.md';

/** What registers metrics, and the text by which a tier's sources show that they use it. */
const REGISTRARS: readonly { readonly use: string; readonly register: (metrics: MetricSet) => void }[] = [
  { use: 'registerBuild(', register: m => registerBuild(m, 'tier') },
  { use: 'createDiscoveryMetrics(', register: m => void createDiscoveryMetrics(m) },
  { use: 'createServerMetrics(', register: m => void createServerMetrics(m) },
  { use: 'new RequestMetrics(', register: m => void new RequestMetrics(m) },
  { use: 'new ClassifiedRequests(', register: m => void new ClassifiedRequests(m) },
  {
    use: 'new EjectionTelemetry(',
    register: m => void new EjectionTelemetry(m, quietLogger),
  },
  { use: 'createNodeMetrics(', register: m => void createNodeMetrics(m) },
  {
    use: 'startTracing(',
    register: metrics => {
      const transport = {
        address: '',
        send: () => Promise.resolve({ ok: true as const }),
        close: () => undefined,
      };
      const encode = (): Buffer => Buffer.alloc(0);
      void new SpanExporter({
        transport,
        encode,
        clock: new FakeClock(),
        random: () => 0,
        logger: quietLogger,
        metrics,
      });
    },
  },
  { use: 'new TcpMetrics(', register: m => void new TcpMetrics(m) },
  { use: 'registerWorkerRestarts(', register: m => void registerWorkerRestarts(m) },
  { use: 'createCertificateMetrics(', register: m => void createCertificateMetrics(m) },
];

const TIERS = ['ztunnel', 'waypoint', 'controller'] as const;
const NOT_PRODUCTION = /\.test\.ts$|\/testing\//;

function sourcesOf(folder: string): string {
  const files = globSync(`src/${folder}/**/*.ts`).filter(f => !NOT_PRODUCTION.test(f));
  return files.map(f => readFileSync(f, 'utf8')).join('\n');
}

/** Each metric, with the tiers that have it. */
function families(): { family: FamilySnapshot; tiers: string[] }[] {
  const sources = new Map(TIERS.map(tier => [tier, sourcesOf(tier)]));
  return REGISTRARS.flatMap(({ use, register }) => {
    const tiers = TIERS.filter(tier => sources.get(tier)?.includes(use) === true);
    const metrics = new MetricSet();
    register(metrics);
    return metrics.snapshot().map(family => ({ family, tiers }));
  });
}

const FAMILIES = families();

function labelsOf({ labels }: FamilySnapshot): string {
  if (labels === TCP_LABELS) return 'those of connections';
  if (labels === REQUEST_LABELS) return 'those of requests';
  return labels.map(label => `\`${label}\``).join(', ');
}

function metricsTable(): string {
  const rows = FAMILIES.map(({ family, tiers }) => [
    `\`${family.name}\``,
    tiers.join(', '),
    family.kind,
    labelsOf(family),
    family.help,
  ]);
  return renderTable(
    ['Metric', 'Tiers', 'Type', 'Labels', 'Meaning'],
    rows.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  );
}

test('the table of metrics is what the tiers register', t => {
  const expected = metricsTable();
  t.equal(generatedPart(FILE, 'metrics', expected), expected);
  for (const { family, tiers } of FAMILIES) t.not(tiers.length, 0, `${family.name} is in use`);
  t.end();
});

test('no metric is registered elsewhere', t => {
  const known = new Set(FAMILIES.map(f => f.family.name));
  // Made by the exposition itself, not registered.
  known.add('ambient_metric_series_overflow_total');
  const inSources = [...TIERS, 'shared'].flatMap(folder =>
    Array.from(
      sourcesOf(folder).matchAll(/'((?:istio|ambient|pilot|citadel)_[a-z0-9_]*[a-z0-9])'/g),
      m => m[1] ?? '',
    ),
  );
  t.same(
    inSources.filter(name => !known.has(name)),
    [],
  );
  t.end();
});

test('the tables of labels are the labels of connections and of requests', t => {
  const labels = parseTables(readFileSync(FILE, 'utf8')).find(table => table.header[0] === 'Label');
  const documented = (column: number): string[] =>
    (labels?.rows ?? [])
      .filter(row => row[column] === 'yes')
      .flatMap(row => codeOf(row[0] ?? ''))
      .sort();
  t.same(documented(1), [...TCP_LABELS].sort());
  t.same(documented(2), [...REQUEST_LABELS].sort());
  t.end();
});
