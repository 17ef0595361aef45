import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { withFakeMesh } from './testing/fake-mesh.ts';
import { expectGolden } from './testing/golden.ts';
import { type Run, runLine, testPlatform } from './testing/test-cli.ts';

/** Every command that asks proxies, against admin servers that answer as the proxies do; outputs are goldens. */
async function withMesh(use: (run: (line: string) => Promise<Run>) => Promise<void>): Promise<void> {
  await withFakeMesh(dir => use(line => runLine(`${line} --state-dir ${dir}`)));
}

const GOLDENS: readonly (readonly [string, string])[] = [
  ['workloads', 'ztunnel-config workloads'],
  ['workloads-namespace', 'zc workload -n legacy'],
  ['workloads-json', 'ztunnel-config workloads -n legacy -o json'],
  ['services', 'ztunnel-config services'],
  ['policies', 'ztunnel-config policies'],
  ['policies-yaml', 'ztunnel-config policy -o yaml'],
  ['certificates', 'ztunnel-config certificates'],
  ['connections', 'ztunnel-config connections'],
  ['authz-check-allowed', 'authz check shop/payments-v1-0 --from shop/orders-0 --port 8080'],
  ['authz-check-denied', 'authz check shop/payments-v1-0 --from legacy/legacy-0'],
  ['authz-check-sni', 'authz check service/shop/payments --from shop/orders-0 --sni pay.example'],
  ['authz-check-no-tls', 'authz check service/shop/payments --from shop/orders-0'],
  ['waypoint-list', 'waypoint list'],
  ['names', 'names services proxies'],
  ['version', 'version'],
  ['describe-pod', 'describe pod shop/payments-v1-0'],
  ['describe-pod-strict', 'describe pod shop/orders-0'],
  ['describe-pod-outside', 'describe pod legacy/legacy-0'],
  ['describe-service', 'describe service shop/payments'],
  ['describe-namespace', 'describe namespace shop'],
  ['proxy-status', 'proxy-status'],
  ['tap', 'tap payments --status 5xx'],
  ['tap-json', 'tap payments -o json'],
  ['stat-workload', 'stat -w 1'],
  ['stat-service', 'stat service -n shop -w 1'],
];

test('output of every command', async t => {
  await withMesh(async run => {
    for (const [name, line] of GOLDENS) {
      const { status, out } = await run(line);
      expectGolden(t, name, `$ ambientctl ${line}\n${out}`);
      t.equal(status, 0, `${line}: exit status`);
    }
  });
});

/** [command line, exit status, what the one line says] */
const BAD_INPUT: readonly (readonly [string, number, RegExp])[] = [
  ['ztunnel-config workloads -o xml', 2, /argument 'xml' is invalid. Allowed choices are table, json, yaml/],
  ['ztunnel-config worklods', 2, /unknown command 'worklods'/],
  ['frobnicate', 2, /unknown command 'frobnicate'/],
  [
    'proxy-config routes waypoint',
    2,
    /unknown command 'proxy-config'; of a ztunnel: ambientctl ztunnel-config; of a/,
  ],
  ['viz stat', 2, /unknown command 'viz'; .*ambientctl stat/],
  [
    'zc pods',
    2,
    /unknown command 'pods'; commands: workloads, services, policies, certificates, connections/,
  ],
  ['-n shop version', 2, /unknown option '-n'; options stand after the command/],
  ['version --nowhere', 2, /unknown option '--nowhere'; see: ambientctl version --help/],
  [
    'playground exec',
    2,
    /missing required argument 'pod'; usage: ambientctl playground exec <pod> <argv...>; <pod> is NAMESPACE\/NAME/,
  ],
  ['names cats', 2, /Allowed choices are pods, services, namespaces, nodes, proxies/],
  ['stat pods', 2, /use one of workload, service, namespace/],
  ['stat -w 0', 2, /use seconds from 1 to 3600/],
  ['authz check shop/payments-v1-0 --port 70000', 2, /use a port from 0 to 65535/],
  ['proxy-status everything', 2, /too many arguments for 'proxy-status'.*; usage: ambientctl proxy-status/],
  ['tap --status bad', 1, /^ambientctl: status "bad" is not accepted; use a status/],
  ['tap --waypoint nowhere', 1, /no waypoint nowhere; there are: waypoint-a/],
  ['logs --level loud', 2, /argument 'loud' is invalid. Allowed choices are/],
  ['logs --tail some', 2, /use a whole number from 0 to 1000000/],
  ['logs nobody', 1, /no proxy "nobody"; write NAMESPACE\/POD for a pod; proxies: ztunnel-a/],
  ['logs shop/nobody', 1, /no pod "shop\/nobody" .*see: ambientctl names pods/],
  [
    'describe pod',
    2,
    /missing required argument 'name'; usage: ambientctl describe pod <name>; <name> is NAMESPACE\/POD/,
  ],
  ['describe pod payments-v1-0', 1, /no pod "payments-v1-0" .*did you mean shop\/payments-v1-0\?/],
  ['describe service shop/paymnts', 1, /no service "shop\/paymnts" .*did you mean shop\/payments\?/],
  ['describe pod shop/payments', 1, /did you mean shop\/payments-v1-0 or shop\/payments-v2-0\?/],
  ['logs shop/oders-0', 1, /did you mean shop\/orders-0\?/],
  ['describe service shop/nope', 1, /no service "shop\/nope" .*do the ztunnels know it yet\?/],
  [
    'describe namespace nowhere',
    1,
    /the ztunnels know nothing of a namespace "nowhere"; they know legacy, shop/,
  ],
  ['describe pod shop/orders-0 --admin-address 127.0.0.1:1', 2, /give no --admin-address/],
  ['authz check', 2, /missing required argument 'target'/],
  [
    'authz check shop/payments-v1-0 --sni a.example',
    2,
    /a ztunnel reads no TLS: .*service\/NAMESPACE\/SERVICE/,
  ],
  ['authz check service/shop/nope', 1, /no service "shop\/nope" .*do the ztunnels know it yet\?/],
  ['authz check service/shop/waypoint', 1, /service shop\/waypoint has no waypoint.*NAMESPACE\/POD/],
  ['authz check service/shop/payments --node node-a', 2, /give no --admin-address and no --node/],
  [
    'authz check payments-v1-0',
    1,
    /no pod "payments-v1-0" \(write NAMESPACE\/NAME\); did you mean shop\/payments-v1-0\?/,
  ],
  ['authz check shop/nope', 1, /no pod "shop\/nope".*see: ambientctl names pods/],
  ['ztunnel-config workloads --node nowhere', 1, /no ztunnel on node "nowhere"; nodes: node-a/],
  ['ztunnel-config workloads --admin-address 10.0.0.1', 2, /use IP:PORT or the path of a unix socket/],
  [
    'ztunnel-config workloads --admin-address 127.0.0.1:1',
    1,
    /cannot reach 127.0.0.1:1: .*ECONNREFUSED.*is the proxy running/,
  ],
];

test('bad input is one clear line and a non-zero exit status', async t => {
  await withMesh(async run => {
    for (const [line, status, message] of BAD_INPUT) {
      const result = await run(line);
      t.equal(result.status, status, line);
      t.match(result.err, message, line);
      t.equal(result.err.trimEnd().split('\n').length, 1, `${line}: one line`);
    }
  });
});

test("a playground's waypoint is found by its pod, whatever the playground calls it", async t => {
  await withFakeMesh(async dir => {
    const file = join(dir, 'proxies.json');
    const listed = readFileSync(file, 'utf8');
    writeFileSync(file, listed.replace('"name":"waypoint-a"', '"name":"waypoint-shop","pod":"waypoint-a"'));
    const run = async (line: string): Promise<string> => (await runLine(`${line} --state-dir ${dir}`)).out;
    t.match(await run('proxy-status'), /waypoint-shop\.shop +Kubernetes +controller-a/);
    t.match(await run('describe service shop/payments'), /HTTPRoute\/shop\/split\/0/);
    t.match(await run('authz check service/shop/payments --from shop/orders-0'), /^(ALLOWED|DENIED): /);
  });
});

test('of several ztunnels on a node each has the certificates of its own pods', async t => {
  await withFakeMesh(async (dir, mesh) => {
    const file = join(dir, 'proxies.json');
    const other = `{"name":"other","kind":"ztunnel","node":"node-a","namespace":"","adminSocket":"${mesh.get('waypoint-a')}"}`;
    writeFileSync(file, readFileSync(file, 'utf8').replace(/\]\}$/, `,${other}]}`));
    const { out } = await runLine(`describe pod shop/orders-0 --state-dir ${dir}`);
    t.match(out, /certificate: Available, until 2026-01-02T00:00:00Z/);
    t.match(out, /mTLS: STRICT/, 'and the policies that one of them knows');
  });
});

test('a proxy that does not answer is a warning: what the others know is shown', async t => {
  await withFakeMesh(async dir => {
    const file = join(dir, 'proxies.json');
    const listed = readFileSync(file, 'utf8');
    const dead = (kind: string): string =>
      `{"name":"dead","kind":"${kind}","node":"node-c","namespace":"","adminSocket":"/nonexistent/dead"},`;
    writeFileSync(file, listed.replace('[', `[${dead('ztunnel')}${dead('waypoint')}${dead('controller')}`));
    for (const line of [
      'ztunnel-config workloads',
      'ztunnel-config connections',
      'authz check shop/payments-v1-0 --from shop/orders-0',
      'authz check service/shop/payments --from shop/orders-0',
      'stat -w 1',
      'tap payments',
      'analyze',
      'waypoint list',
    ]) {
      const { status, out, err } = await runLine(`${line} --state-dir ${dir}`);
      t.equal(status, line === 'analyze' ? 1 : 0, line);
      t.match(err, /warning: cannot reach \/nonexistent\/dead: /, line);
      t.match(out, /shop|payments/, line);
    }
  });
});

/** [command line, what stands on standard output or error] */
const NOTHING: readonly (readonly [string, RegExp])[] = [
  [
    'zc workloads -n shp',
    /no workloads: the ztunnels know nothing of namespace "shp"; they know legacy, shop/,
  ],
  ['zc policies -n legacy', /no policies in namespace legacy\n/],
  ['zc certificates -n legacy', /no certificates in namespace legacy\n/],
  ['zc connections -n legacy', /no connections in namespace legacy\n/],
  ['stat -n legacy', /no request to these passed a waypoint in 5 s, and figures are of those alone/],
  ['tap nothing', /no request that matches passed waypoint-a; .*one for service "nothing"/],
];

test('where there is nothing to show the reason is', async t => {
  await withMesh(async run => {
    for (const [line, message] of NOTHING) {
      const { status, out, err } = await run(line);
      t.equal(status, 0, line);
      t.match(out + err, message, line);
    }
  });
});

test('without a mesh the operator is told how to start one', async t => {
  const result = await runLine('ztunnel-config workloads --state-dir /nonexistent');
  t.equal(result.status, 1);
  t.match(result.err, /no mesh found: .*start one with "ambientctl playground up"/);
});

test('what only a cluster has is said to be so where a playground runs', async t => {
  const platform = { ...testPlatform(), isPlaygroundRunning: () => true };
  for (const line of ['check', 'namespace list', 'waypoint status', 'waypoint apply']) {
    const { status, err } = await runLine(line, platform);
    t.equal(status, 1, line);
    t.match(err, /this command is for a cluster, and there is no kubeconfig; of the playground/, line);
  }
});

test('a damaged list of proxies is said to be so', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'cli-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  for (const [content, message] of [
    ['{', /proxies.json: /],
    ['{"proxies":[{"name":"a","kind":"cat"}]}', /proxies\[0\].kind is cat/],
    ['{"proxies":[{"kind":"ztunnel"}]}', /proxies\[0\].name is not text/],
  ] as const) {
    writeFileSync(join(dir, 'proxies.json'), content);
    const result = await runLine(`version --state-dir ${dir}`);
    t.equal(result.status, 1);
    t.match(result.err, message);
  }
});
