import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { TCP_LABELS } from '#shared/observability/tcp-metrics.ts';
import { REQUEST_LABELS } from '#shared/route/telemetry-policy.ts';
import { BOARDS } from '../../scripts/monitoring/boards.ts';
import { knownNames } from '../../scripts/monitoring/known-names.ts';
import { findProgram, runPromtool } from '../../scripts/monitoring/promtool.ts';
import { codeOf, parseTables } from './markdown.ts';

const PAGE = readFileSync('docs/monitoring.md', 'utf8');
const promtool = findProgram('promtool');

function rowsOf(header: string): readonly (readonly string[])[] {
  const rows = parseTables(PAGE).find(table => table.header[0] === header)?.rows ?? [];
  if (rows.length === 0) throw new Error(`docs/monitoring.md has no table ${header}`);
  return rows;
}

/** Of code, what could be the name of a metric. */
function metricsIn(cell: string): string[] {
  return codeOf(cell).filter(code => /^[a-z]+(?:_[a-z0-9]+)+$/.test(code));
}

test('what Kiali asks for is here, or said to be missing', async t => {
  const known = await knownNames();
  for (const [metrics = '', , here] of rowsOf('Metric'))
    for (const name of metricsIn(metrics)) t.equal(known.has(name) ? 'yes' : 'no', here, name);
  for (const [labels = '', requests, connections] of rowsOf('Labels it groups by')) {
    for (const label of codeOf(labels)) {
      t.equal(REQUEST_LABELS.includes(label) ? 'yes' : 'no', requests, `${label} of requests`);
      t.equal(TCP_LABELS.includes(label) ? 'yes' : 'no', connections, `${label} of connections`);
    }
  }
});

test('what boards of Istio show here is measured, and what stays empty is not', async t => {
  const known = await knownNames();
  for (const [board = '', shown = '', empty = ''] of rowsOf('Board of Istio')) {
    for (const name of metricsIn(shown)) t.ok(known.has(name), `${board}: ${name}`);
    for (const name of metricsIn(empty)) t.notOk(known.has(name), `${board}: ${name}`);
  }
});

test('the boards are those there are', t => {
  t.same(
    rowsOf('Board').flatMap(([board = '']) => codeOf(board)),
    BOARDS.map(board => board.uid),
  );
  t.end();
});

test('the job that is shown is one', {
  skip: promtool === undefined && 'needs promtool on PATH (Debian: prometheus)',
}, t => {
  const [, config = ''] = /^```yaml\n([\s\S]*?)^```/m.exec(PAGE) ?? [];
  const file = join(t.testdir({}), 'prometheus.yml');
  // Debian builds promtool without what asks Kubernetes.
  writeFileSync(file, config.replace('kubernetes_sd_configs: [{ role: pod }]', 'static_configs: []'));
  const { ok, output } = runPromtool(promtool ?? '', ['check', 'config', file]);
  t.ok(ok, output);
  t.match(config, 'kubernetes_sd_configs: [{ role: pod }]');
  t.end();
});
