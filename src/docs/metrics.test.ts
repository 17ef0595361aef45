import { readFileSync } from 'node:fs';
import { test } from 'tap';
import type { FamilySnapshot } from '#shared/observability/metric-set.ts';
import { TCP_LABELS } from '#shared/observability/tcp-metrics.ts';
import { REQUEST_LABELS } from '#shared/route/telemetry-policy.ts';
import { codeOf, generatedPart, parseTables, renderTable } from './markdown.ts';
import { registeredMetrics, sourcesOf, TIERS } from './registered-metrics.ts';

/** docs/metrics.md against what the tiers register. `UPDATE_DOCS=1 tap src/docs/metrics.test.ts` rewrites its first table. */
const FILE = 'docs/metrics.md';
const METRICS = registeredMetrics();

function labelsOf({ labels }: FamilySnapshot): string {
  if (labels === TCP_LABELS) return 'those of connections';
  if (labels === REQUEST_LABELS) return 'those of requests';
  return labels.map(label => `\`${label}\``).join(', ');
}

function metricsTable(): string {
  const rows = METRICS.map(({ family, tiers }) => [
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
  for (const { family, tiers } of METRICS) t.not(tiers.length, 0, `${family.name} is in use`);
  t.end();
});

test('no metric is registered elsewhere', t => {
  const known = new Set(METRICS.map(m => m.family.name));
  // Made by the exposition itself, not registered.
  known.add('ambient_metric_series_overflow_total');
  const names = /'((?:istio|ambient|pilot|citadel|workload_manager|leader_election)_[a-z0-9_]*[a-z0-9])'/g;
  const inSources = [...TIERS, 'shared'].flatMap(folder =>
    Array.from(sourcesOf(folder).matchAll(names), m => m[1] ?? ''),
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
