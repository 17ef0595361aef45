import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Test, test } from 'tap';
import { parseAllDocuments } from 'yaml';
import { isJsonObject, type JsonObject } from '../../src/shared/config/json.ts';
import { VERSION } from '../../src/shared/config/version.ts';
import { copyCharts, findHelm, runHelm } from './helm.ts';

/** `UPDATE_GOLDENS=1` writes the expected manifests anew. */
const UPDATE = process.env['UPDATE_GOLDENS'] !== undefined;
const TESTDATA = 'scripts/charts/testdata';
const helm = findHelm() ?? 'helm';
const skip = findHelm() === undefined && 'needs helm on PATH, or in the directory KUBE_BINARIES';
const PARTS = ['base', 'controller', 'ztunnel', 'ambient'];

function charts(t: Test): string {
  const directory = copyCharts(helm);
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

function documents(yaml: string): JsonObject[] {
  return parseAllDocuments(yaml).flatMap(document => {
    const value: unknown = document.toJS();
    return isJsonObject(value) ? [value] : [];
  });
}

test('every chart is of the version of the binaries', async t => {
  for (const part of PARTS) {
    const chart = readFileSync(`charts/${part}/Chart.yaml`, 'utf8');
    t.match(chart, `\nversion: ${VERSION}\nappVersion: ${VERSION}\n`, part);
  }
  const versions = readFileSync('charts/ambient/Chart.yaml', 'utf8').matchAll(/^ {4}version: (.*)$/gm);
  t.same(
    [...versions].map(v => v[1]),
    [VERSION, VERSION, VERSION],
  );
});

test('helm lint finds nothing', { skip }, async t => {
  const directory = charts(t);
  const { ok, stdout, stderr } = runHelm(helm, ['lint', '--strict', ...PARTS.map(p => join(directory, p))]);
  t.ok(ok, stdout + stderr);
});

/** Golden → what is asked for. The definitions of resources are looked at apart. */
const GOLDENS: Readonly<Record<string, readonly string[]>> = {
  default: [],
  'every-value': ['--values', join(TESTDATA, 'every-value.yaml')],
};

test('manifests are as they were', { skip }, async t => {
  const directory = charts(t);
  for (const [name, args] of Object.entries(GOLDENS)) {
    const chart = join(directory, 'ambient');
    const fixed = [
      'template',
      'ambient',
      chart,
      '--namespace',
      'istio-system',
      '--set',
      'base.enabled=false',
    ];
    const { ok, stdout, stderr } = runHelm(helm, [...fixed, ...args]);
    if (!t.ok(ok, stderr)) continue;
    const golden = join(TESTDATA, `${name}.golden.yaml`);
    if (UPDATE) writeFileSync(golden, stdout);
    if (!t.ok(existsSync(golden), `${golden} exists`)) continue;
    t.equal(stdout, readFileSync(golden, 'utf8'), name);
    t.ok(
      documents(stdout).every(d => typeof d['kind'] === 'string'),
      `${name}: every document is an object`,
    );
  }
});

test('a part installed by itself is the same as within the whole', { skip }, async t => {
  const directory = charts(t);
  const render = (chart: string, ...args: string[]): string[] =>
    runHelm(helm, ['template', 'ambient', join(directory, chart), '-n', 'istio-system', ...args])
      .stdout.split(/^---$/m)
      .map(text => text.replace(/^# Source: .*$/m, '').trim())
      .filter(text => text !== '');
  const whole = new Set(render('ambient'));
  for (const part of ['base', 'controller', 'ztunnel']) {
    const alone = render(part);
    t.ok(alone.length > 0, part);
    t.same(
      alone.filter(text => !whole.has(text)),
      [],
      part,
    );
  }
});

interface Wrong {
  readonly sentence: string;
  readonly chart: string;
  readonly set: string;
  readonly says: RegExp;
}

const WRONG: readonly Wrong[] = [
  {
    sentence: 'a value nobody knows',
    chart: 'ambient',
    set: 'controler.replicas=3',
    says: /'controler' not allowed/,
  },
  { sentence: 'one of a part', chart: 'ambient', set: 'ztunnel.threads=3', says: /'threads' not allowed/ },
  {
    sentence: 'no replicas',
    chart: 'controller',
    set: 'replicas=0',
    says: /replicas.*minimum: got 0, want 1/,
  },
  { sentence: 'a log level', chart: 'ztunnel', set: 'global.log.level=loud', says: /log.level.*one of/ },
  {
    sentence: 'a time without its unit',
    chart: 'controller',
    set: 'ca.workloadCertTtl=24',
    says: /workloadCertTtl/,
  },
  { sentence: 'a controller without port', chart: 'ztunnel', set: 'xdsAddress=istiod', says: /xdsAddress/ },
  {
    sentence: 'a variable in small letters',
    chart: 'ztunnel',
    set: 'env.log=info',
    says: /propertyName 'log'/,
  },
  {
    sentence: 'an interval without its unit',
    chart: 'ambient',
    set: 'monitoring.podMonitors.interval=15',
    says: /interval/,
  },
  {
    sentence: 'labels of dashboards that are none',
    chart: 'ambient',
    set: 'dashboards.labels=grafana',
    says: /dashboards\/labels|dashboards.labels/,
  },
  {
    sentence: 'dashboards by another word',
    chart: 'ambient',
    set: 'grafana.enabled=true',
    says: /'grafana' not allowed/,
  },
  { sentence: 'a relative directory', chart: 'ztunnel', set: 'netnsDir=run', says: /netnsDir/ },
];

test('a wrong value is refused, and named', { skip }, async t => {
  const directory = charts(t);
  for (const { sentence, chart, set, says } of WRONG) {
    const { ok, stderr } = runHelm(helm, ['template', 'x', join(directory, chart), '--set', set]);
    t.notOk(ok, sentence);
    t.match(stderr, says, sentence);
  }
});

function ofKind(kind: string, manifests: string): JsonObject[] {
  return documents(manifests).filter(d => d['kind'] === kind);
}

test('dashboards: none by default; each in a ConfigMap that says what Grafana looks for', {
  skip,
}, async t => {
  const directory = charts(t);
  const render = (...args: string[]): string =>
    runHelm(helm, ['template', 'ambient', join(directory, 'ambient'), '-n', 'istio-system', ...args]).stdout;
  t.same(ofKind('ConfigMap', render()), []);
  const files = globSync('charts/ambient/dashboards/*.json').sort();
  t.equal(files.length, 5);
  const maps = ofKind('ConfigMap', render('--set', 'dashboards.enabled=true'));
  const shown = maps.map(({ data, metadata }) => ({ data, metadata }));
  for (const file of files) {
    const name = basename(file, '.json');
    const found = shown.find(
      ({ metadata }) => isJsonObject(metadata) && metadata['name'] === `${name}-dashboard`,
    );
    t.match(found?.metadata, { namespace: 'istio-system', labels: { grafana_dashboard: '1' } }, file);
    const text = isJsonObject(found?.data) ? found.data[`${name}.json`] : undefined;
    t.equal(text, readFileSync(file, 'utf8'), file);
  }
  t.equal(maps.length, files.length);
  const set = [
    'dashboards.enabled=true',
    'dashboards.namespace=grafana',
    'dashboards.labels.board=mesh',
    'dashboards.annotations.grafana_folder=Mesh',
  ];
  const elsewhere = render('--set', set.join(','));
  t.match(ofKind('ConfigMap', elsewhere)[0]?.['metadata'], {
    namespace: 'grafana',
    labels: { grafana_dashboard: '1', board: 'mesh' },
    annotations: { grafana_folder: 'Mesh' },
  });
});

test('alerts: the file as it is, with links to where the runbooks are', { skip }, async t => {
  const directory = charts(t);
  const rules = (...args: string[]): JsonObject | undefined => {
    const command = ['template', 'ambient', join(directory, 'ambient'), '-n', 'istio-system'];
    return ofKind('PrometheusRule', runHelm(helm, [...command, ...args]).stdout)[0];
  };
  t.equal(rules(), undefined);
  const enabled = ['--set', 'monitoring.rules.enabled=true'];
  const [file] = documents(readFileSync('charts/ambient/rules/ambient-mesh.yaml', 'utf8'));
  t.same(rules(...enabled)?.['spec'], file);
  const linked = rules(...enabled, '--set', 'monitoring.rules.docsUrl=https://example.org/v1');
  const text = JSON.stringify(linked);
  t.match(text, '"runbook_url":"https://example.org/v1/docs/debugging.md#ambientproxystale"');
  t.notMatch(text, '"runbook_url":"docs/');
});

test('resource definitions: all by default, without a dialect nobody speaks, or none', { skip }, async t => {
  const directory = charts(t);
  const names = (...args: string[]): unknown[] => {
    const { stdout } = runHelm(helm, ['template', 'x', join(directory, 'base'), ...args]);
    return documents(stdout).map(d => isJsonObject(d['metadata']) && d['metadata']['name']);
  };
  const files = globSync('charts/base/files/crds/*.yaml').map(file => {
    const [group = '', plural = ''] = basename(file, '.yaml').split('_');
    return `${plural}.${group}`;
  });
  const namesakes = ['authorizationpolicies.policy.linkerd.io', 'httproutes.policy.linkerd.io'];
  const ordinary = files.filter(file => !namesakes.includes(file));
  t.same(new Set(names()), new Set(ordinary));
  t.equal(files.length, 22);
  t.same(new Set(names('--set', 'crds.namesakes=true')), new Set(files));
  const fewer = names('--set', 'crds.groups.linkerd\\.io=false');
  t.same(new Set(fewer), new Set(ordinary.filter(f => f !== 'serviceprofiles.linkerd.io')));
  t.same(names('--set', 'crds.enabled=false'), []);
});
