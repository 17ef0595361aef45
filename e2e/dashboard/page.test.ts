import tap, { type Test, test } from 'tap';
import type { TapEvent } from '#shared/dashboard/frames.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { DashboardServer } from '../../src/cli/dashboard/http/dashboard-server.ts';
import { MeshWatch } from '../../src/cli/dashboard/mesh-watch.ts';
import { loadPage } from '../../src/cli/dashboard/page/load-page.ts';
import { FakeProxies } from '../../src/cli/dashboard/testing/fake-proxies.ts';
import { Chromium, findChromium } from '../clients/chromium.ts';
import { type BrowserPage, openPage } from './browser-page.ts';

/** The page in a real browser, of a mesh whose proxies say what the test wants, names that are not to be trusted above all. */
const program = findChromium();
const skip = program === undefined && 'needs chromium on PATH (Debian package chromium)';
const options = { skip, timeout: 90_000 };

const TOKEN = 'a-token-of-a-test';
const EVIL = `<img src=x onerror="globalThis.pwned=1">'"&\u202e`;
const EVIL_NAMESPACE = '"><svg onload=globalThis.pwned=1>';
const METRICS = '/stats/prometheus';

function pod(name: string, namespace: string): object {
  return {
    uid: `${namespace}/${name}`,
    name,
    namespace,
    node: 'node-a',
    tunnelProtocol: 'hbone',
    trustDomain: 'cluster.local',
    serviceAccount: name,
    status: 'healthy',
    workloadName: name,
    addresses: ['10.0.0.1'],
    services: { [`${namespace}/${name}.host`]: [] },
  };
}

function service(name: string, namespace: string): object {
  return { name, namespace, hostname: `${name}.host`, addresses: [{ ip: '10.96.0.1' }] };
}

const DUMP = {
  version: EVIL,
  workloads: [pod('client', 'shop'), pod(EVIL, EVIL_NAMESPACE), pod('alone', 'shop')],
  services: [service('client', 'shop'), service(EVIL, EVIL_NAMESPACE), service('alone', 'shop')],
  policies: [{ name: EVIL, namespace: EVIL_NAMESPACE, scope: 'global', action: EVIL, rules: [] }],
  certificates: [{ identity: EVIL, state: EVIL, error: EVIL, certChain: [] }],
};
const OBJECTS = {
  objects: [
    {
      key: `HTTPRoute/${EVIL_NAMESPACE}/${EVIL}`,
      diagnostics: [{ severity: 'rejected', field: EVIL, message: EVIL, fix: EVIL }],
    },
  ],
};
const REFUSED = JSON.stringify({
  time: new Date(Date.now() - 5_000).toISOString(),
  level: 'error',
  scope: 'access',
  'src.workload': 'client',
  'src.namespace': 'shop',
  'dst.service': `${EVIL}.host`,
  method: EVIL,
  path: `/${EVIL}`,
  error: `denied by shop/deny rule 1: ${EVIL}`,
});
const TAPPED: TapEvent = {
  key: 'w/1',
  over: true,
  atMs: Date.now(),
  source: EVIL,
  secure: true,
  service: EVIL,
  method: EVIL,
  authority: EVIL,
  path: `/${EVIL}`,
  status: EVIL,
  durationMs: 1,
  destination: EVIL,
  route: EVIL,
  flags: EVIL,
  error: EVIL,
};

function quoted(text: string): string {
  return text.replaceAll('\\', String.raw`\\`).replaceAll('"', String.raw`\"`);
}

function metrics(n: number): string {
  const labels = [
    ['reporter', 'waypoint'],
    ['source_workload', 'client'],
    ['source_workload_namespace', 'shop'],
    ['destination_workload', EVIL],
    ['destination_workload_namespace', EVIL_NAMESPACE],
    ['destination_principal', EVIL],
    ['destination_service_name', EVIL],
    ['destination_service_namespace', EVIL_NAMESPACE],
    ['response_code', '200'],
    ['connection_security_policy', 'mutual_tls'],
  ].map(([name, value]) => `${name}="${quoted(value ?? '')}"`);
  return `istio_requests_total{${labels.join(',')}} ${n}`;
}

interface Running {
  readonly proxies: FakeProxies;
  readonly server: DashboardServer;
  readonly port: number;
  readonly close: () => Promise<void>;
}

/** A dashboard of that mesh, in which each measurement finds more requests. */
async function serve(port = 0, token = TOKEN): Promise<Running> {
  const proxies = new FakeProxies()
    .add('controller', 'c', { '/debug/syncz': {}, '/debug/waypoints': {}, '/debug/objects': OBJECTS })
    .add('ztunnel', 'z', { '/config_dump': DUMP })
    .add('waypoint', EVIL);
  proxies.logs.set('z', [REFUSED]);
  let n = 0;
  const ask: typeof proxies.ask = {
    json: proxies.ask.json,
    text: (proxy, path) =>
      proxy.name === 'z' && path === METRICS
        ? Promise.resolve(metrics((n += 10)))
        : proxies.ask.text(proxy, path),
  };
  const watch = new MeshWatch({ proxies, ask, clock: systemClock, intervalMs: 500 });
  const server = new DashboardServer({
    watch,
    label: { mesh: EVIL, cliOptions: ` --context '${EVIL}'`, isCluster: true },
    page: await loadPage(),
    clock: systemClock,
    token,
    hosts: [],
    describe: () =>
      Promise.resolve({
        title: EVIL,
        facts: [{ name: EVIL, value: EVIL }],
        hopsTitle: EVIL,
        hops: [
          {
            name: EVIL,
            why: EVIL,
            facts: [],
            policies: [{ name: EVIL, action: EVIL, scope: EVIL, dryRun: false }],
            verdict: EVIL,
            routes: [{ name: EVIL, ports: EVIL, backends: EVIL, state: EVIL }],
          },
        ],
        warnings: [EVIL],
      }),
    tap: (_service, _filter, onEvent, signal) => {
      onEvent(TAPPED);
      onEvent({ note: EVIL });
      return new Promise(resolve => signal.addEventListener('abort', () => resolve()));
    },
  });
  const bound = await server.listen('127.0.0.1', port);
  watch.start();
  const close = async (): Promise<void> => {
    watch.stop();
    await server.close();
  };
  return { proxies, server, port: bound, close };
}

let shared: Chromium | undefined;
tap.teardown(() => shared?.close());

/** One browser for all of them: to start it takes longer than most of what is looked at. */
async function browse(
  t: Test,
  size?: Parameters<typeof openPage>[2],
): Promise<Running & { page: BrowserPage }> {
  const running = await serve();
  t.teardown(() => running.close());
  shared ??= new Chromium(program ?? '');
  const page = await openPage(shared, `http://127.0.0.1:${running.port}/#token=${TOKEN}`, size);
  await page.until(`document.querySelectorAll('.node').length > 2`);
  return { ...running, page };
}

/** [view, what is there of it, where the name that must be text stands] */
const VIEWS: readonly (readonly [string, string])[] = [
  ['#/graph', '.edge title'],
  ['#/graph?by=workload', '.edge title'],
  ['#/services', 'tbody th a'],
  ['#/workloads', 'tbody th a'],
  ['#/proxies', 'tbody td'],
  ['#/policies', 'tbody th'],
  ['#/problems', '.reason'],
  [`#/service/${encodeURIComponent(EVIL_NAMESPACE)}/${encodeURIComponent(EVIL)}`, '.hops strong'],
  [`#/workload/${encodeURIComponent(EVIL_NAMESPACE)}/${encodeURIComponent(EVIL)}`, '.hops strong'],
];

test('whatever a name, path, policy or error holds is text, in every view', options, async t => {
  const { page } = await browse(t);
  const name = JSON.stringify(EVIL);
  for (const [hash, where] of VIEWS) {
    await page.tab.run(`location.hash = ${JSON.stringify(hash)}`);
    await page.until(
      `[...document.querySelectorAll(${JSON.stringify(where)})].some(e => e.textContent.includes(${name}))`,
    );
    t.pass(`${hash}: it is shown as it is`);
  }
  await page.tab.run(`location.hash = ${JSON.stringify(VIEWS[7]?.[0])}`);
  await page.until(`document.querySelector('.hops') && document.querySelector('.tap')`);
  await page.tab.run(`document.querySelector('.tap .start')?.click()`);
  t.equal(
    await page.tab.run(`document.querySelectorAll('.tap .start').length`),
    0,
    'no waypoint is asked for',
  );
  t.equal(await page.tab.run('globalThis.pwned'), undefined, 'nothing of it was run');
  t.equal(await page.tab.run(`document.images.length + document.querySelectorAll('script').length`), 1);
  t.equal(
    await page.tab.run(`[...document.links].filter(a => !a.getAttribute('href').startsWith('#/')).length`),
    0,
    'no link leads elsewhere',
  );
  t.same(await page.violations(), [], 'nothing was tried that its policy forbids');
});

test('requests that are tapped are text', options, async t => {
  const { page, proxies } = await browse(t);
  const waypoint = { kind: 'hostname', namespace: 'shop', hostname: 'w.host' };
  const services = DUMP.services.map(s => ({ ...s, waypoint }));
  proxies.pages.set('z /config_dump', { ...DUMP, services });
  await page.tab.run(`location.hash = '#/service/shop/client'`);
  await page.until(`document.querySelector('.tap .start')`);
  await page.tab.run(`document.querySelector('.tap .start').click()`);
  await page.until(`document.querySelector('.tap tbody td')`);
  const cells = await page.tab.run(`[...document.querySelectorAll('.tap tbody td')].map(e => e.textContent)`);
  t.match(cells, [/\d\d:\d\d:\d\d/, ` ${EVIL}`]);
  t.ok(JSON.stringify(cells).includes(JSON.stringify(`/${EVIL}`).slice(1, -1)));
  t.equal(await page.tab.run('globalThis.pwned'), undefined);
  await page.tab.run(`document.querySelector('.tap .stop').click()`);
  await page.until(`document.querySelector('.tap .start')`);
  t.same(await page.violations(), []);
});

test('the token leaves the address, and a page without it says where it is', options, async t => {
  const { page, port } = await browse(t);
  t.equal(await page.tab.run('location.hash'), '#/graph');
  await page.tab.run(`localStorage.setItem('token', 'another'); location.reload()`);
  await page.until(`document.querySelector('.banner.locked')?.textContent.includes('ambientctl dashboard')`);
  t.equal(await page.tab.run(`document.querySelectorAll('.node').length`), 0);
  await page.tab.run(`location.href = 'http://127.0.0.1:${port}/#token=${TOKEN}'; location.reload()`);
  await page.until(`document.querySelectorAll('.node').length > 2`);
});

test('a page goes on when its dashboard was started again', options, async t => {
  const { close, page, port } = await browse(t);
  await page.tab.run(`document.querySelector('.toolbar input[type=checkbox]').click()`);
  await page.until(`document.querySelectorAll('.node').length === 2`);
  await close();
  await page.until(`document.querySelector('.banner.lost')?.textContent.includes('start it again')`);
  t.equal(await page.tab.run(`document.querySelectorAll('.node').length`), 2, 'the last picture stays');
  const again = await serve(port);
  t.teardown(() => again.close());
  await page.until(`document.querySelector('.live.live') && !document.querySelector('.banner.lost')`);
  await page.until(`document.querySelectorAll('.edge[role=button]').length === 1`);
  t.equal(
    await page.tab.run(`document.querySelector('.toolbar input[type=checkbox]').checked`),
    false,
    'as it was',
  );
});

test(
  'a graph by keyboard: chosen, told in words, left, and the focus stays where it is',
  options,
  async t => {
    const { page } = await browse(t);
    const press = (key: string, code = key): Promise<unknown> =>
      page.tab.command('Input.dispatchKeyEvent', {
        type: 'keyDown',
        key,
        code,
        ...(key === 'Enter' ? { text: '\r' } : {}),
      });
    await page.until(`document.querySelector('.edge[role=button]')`);
    await page.tab.run(`document.querySelector('.edge[role=button]').focus()`);
    t.match(
      await page.tab.run(`document.activeElement.getAttribute('aria-label')`),
      /^shop\/client to .*mutual TLS/,
    );
    await press('Enter');
    await page.until(`document.querySelector('.selection h2')`);
    const before = await page.tab.run(`document.querySelector('footer').textContent`);
    t.ok(before);
    // Several pictures later.
    await page.tab.run(`new Promise(resolve => {
    let pictures = 0;
    new MutationObserver((_, o) => { if (++pictures > 3) { o.disconnect(); resolve(); } })
      .observe(document.querySelector('main'), { subtree: true, childList: true, characterData: true, attributes: true });
  })`);
    t.equal(await page.tab.run(`document.activeElement.classList.contains('edge')`), true);
    await press('Escape');
    await page.until(`!document.querySelector('.selection')`);
    const nameless = `[...document.querySelectorAll('button, a, select, input, [role=button]')].filter(e =>
    !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.[0]?.textContent)).length`;
    t.equal(await page.tab.run(nameless), 0, 'everything that can be used has a name');
  },
);

/** What sticks out of the page, and of nothing that scrolls. */
const TOO_WIDE = `[...document.querySelectorAll('main *, header *, footer *')].filter(e =>
  e.getBoundingClientRect().right > innerWidth && !e.closest('.table, .canvas, nav') && !e.closest('.skip')
).map(e => e.tagName + '.' + e.className + ' ' + e.getBoundingClientRect().right)`;

test('on a telephone: nothing is wider than it', options, async t => {
  const { page } = await browse(t, { width: 400, height: 800 });
  for (const [hash, where] of VIEWS) {
    await page.tab.run(`location.hash = ${JSON.stringify(hash)}`);
    await page.until(`document.querySelector(${JSON.stringify(where)})`);
    t.same(await page.tab.run(TOO_WIDE), [], hash);
  }
});

test('a filter and a namespace narrow what is shown, and are in the address', options, async t => {
  const { page } = await browse(t);
  await page.tab.run(`location.hash = '#/services'`);
  await page.until(`document.querySelectorAll('tbody tr').length === 3`);
  await page.tab.run(`(() => { const input = document.querySelector('input[type=search]');
    input.value = 'ALONE'; input.dispatchEvent(new Event('input')); })()`);
  await page.until(`document.querySelectorAll('tbody tr').length === 1`);
  t.equal(await page.tab.run('location.hash'), '#/services?filter=ALONE');
  await page.tab.run(`(() => { const input = document.querySelector('input[type=search]');
    input.value = 'nowhere'; input.dispatchEvent(new Event('input')); })()`);
  await page.until(`document.querySelector('.empty')?.textContent.includes('Clear the filter')`);
  await page.tab.run(`location.hash = '#/services?namespace=shop'`);
  await page.until(`document.querySelectorAll('tbody tr').length === 2`);
  t.equal(await page.tab.run(`document.querySelector('select').value`), 'shop');
  await page.tab.run(`document.querySelector('thead button').click()`);
  await page.until(`document.querySelector('th[aria-sort=descending]')`);
});
