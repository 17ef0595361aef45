import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { Playground } from '../../src/playground/playground.ts';
import { load, request } from '../../src/playground/scenario/load.ts';
import { Chromium, findChromium } from '../clients/chromium.ts';
import { openPage } from '../dashboard/browser-page.ts';

/** `ambientctl dashboard` of the shop on loopback addresses, in a real browser. */
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const program = findChromium();
const skip =
  process.platform !== 'linux'
    ? 'needs Linux: any address of 127.0.0.0/8 can be bound'
    : program === undefined && 'needs chromium on PATH (Debian package chromium)';

interface Dashboard {
  readonly process: ChildProcess;
  readonly url: string;
  readonly end: () => Promise<void>;
}

/** @param home where it keeps its token */
async function startDashboard(stateDir: string, home: string, port: string): Promise<Dashboard> {
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      'src/cli/main.ts',
      'dashboard',
      '--port',
      port,
      '--interval',
      '1',
    ],
    {
      cwd: REPOSITORY,
      env: { ...process.env, AMBIENT_STATE_DIR: stateDir, XDG_STATE_HOME: home },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()));
  const end = (): Promise<void> => {
    child.kill('SIGTERM');
    return ended;
  };
  for await (const line of createInterface(child.stdout)) {
    const url = /^open (http:\S+)$/.exec(line)?.[1];
    if (url !== undefined) return { process: child, url, end };
  }
  throw new Error('the dashboard has ended');
}

/** What the graph says of an edge, in words. */
const edge = (text: RegExp): string =>
  `[...document.querySelectorAll('.edge[role=button]')].some(e => ${String(text)}.test(e.getAttribute('aria-label')))`;

test('the dashboard of a mesh on this machine', { skip, timeout: 240_000 }, async t => {
  const stateDir = mkdtempSync('/dev/shm/amb-view-');
  rmSync(stateDir, { recursive: true });
  const home = mkdtempSync(join(tmpdir(), 'amb-home-'));
  t.teardown(() => rmSync(home, { recursive: true }));
  const nodes = ['node-a', 'node-b'];
  const playground = await Playground.up({
    stateDir,
    repository: REPOSITORY,
    nodes,
    mode: 'loopback',
    report: () => undefined,
  });
  t.teardown(() => playground.down());
  await playground.apply('examples/shop/manifests/00-shop.yaml');
  await playground.settled();
  let dashboard = await startDashboard(stateDir, home, '0');
  t.teardown(() => dashboard.end());
  const browser = new Chromium(program ?? '');
  t.teardown(() => browser.close());
  const { tab, until, violations } = await openPage(browser, dashboard.url);

  await t.test('services are nodes, whoever calls is joined to whom it calls', async t => {
    const running = load(playground, 'shop/frontend-0', 'http://orders.shop:8080/', {
      seconds: 6,
      pauseMs: 20,
    });
    await until(edge(/^shop\/frontend to shop\/orders; mutual TLS; [1-9]\d* open connection/));
    await until(
      edge(
        /^shop\/orders to shop\/payments; mutual TLS; through waypoint shop\/waypoint; .*\/s requests, 100 % successful/,
      ),
    );
    const names = await tab.run(`[...document.querySelectorAll('.node .name')].map(e => e.textContent)`);
    t.match(String(names).split(',').sort(), [
      'fraud',
      'frontend',
      'ledger',
      'legacy-0',
      'orders',
      'payments',
      'payments-v1',
      'payments-v2',
    ]);
    await tab.run(`location.hash = '#/service/shop/payments'`);
    await until(`document.querySelector('.signal .now')?.textContent.endsWith('/s')`);
    await until(`document.querySelector('.hops')?.innerText.includes('waypoint shop/waypoint')`);
    t.equal((await running).byStatus['200'], (await running).total);
  });

  await t.test('a request is tapped, and its path is text', async () => {
    await until(`document.querySelector('.tap .start')`);
    await tab.run(`document.querySelector('.tap .start').click()`);
    await until(`document.querySelector('.tap .stop')`);
    await until(`document.querySelector('.tap').innerText.includes('No request has passed')`);
    const path = '/<img/src=x/onerror=globalThis.pwned=1>';
    const sent = load(playground, 'shop/orders-0', `http://payments.shop:8080${path}`, {
      seconds: 4,
      pauseMs: 200,
    });
    await until(
      `[...document.querySelectorAll('.tap .request')].some(e => e.textContent.includes('globalThis.pwned=1'))`,
    );
    await sent;
    await until(`globalThis.pwned === undefined && document.images.length === 0`);
  });

  await t.test('what a policy refuses is there with the policy and its rule', async t => {
    await playground.apply('examples/shop/manifests/ledger-deny-orders.yaml');
    await playground.apply('examples/shop/manifests/intentions.yaml');
    await tab.run(`location.hash = '#/policies'`);
    await until(`document.querySelector('tbody')?.innerText.includes('deny-orders')`);
    t.not((await request(playground, 'shop/orders-0', 'http://ledger.shop:7000/')).status, 200);
    t.equal((await request(playground, 'shop/frontend-0', 'http://payments.shop:8080/charge')).status, 403);
    await tab.run(`location.hash = '#/problems'`);
    const row = (...texts: readonly string[]): string =>
      `[...document.querySelectorAll('tbody tr')].some(e => ${JSON.stringify(texts)}.every(text => e.innerText.includes(text)))`;
    await until(row('refused', 'shop/orders-0', 'shop/ledger-0', 'shop/deny-orders', 'rule 0'));
    await until(
      row('refused', 'shop/frontend-0', 'shop/payments', 'GET /charge', 'shop/serviceintentions_payments'),
    );
    await tab.run(`location.hash = '#/graph'`);
    await until(edge(/^shop\/frontend to shop\/payments; .*refused by policy/));
  });

  await t.test('a proxy that is gone is a warning, and the others are shown', async () => {
    await playground.kill('ztunnel-shop-ledger-0');
    await until(`document.querySelector('.banner.warned')?.textContent.includes('ztunnel-shop-ledger-0')`);
    await playground.start('ztunnel-shop-ledger-0');
    await until(`document.querySelectorAll('.node').length === 8`);
  });

  await t.test('the page goes on when the dashboard is started again', async t => {
    const { port } = new URL(dashboard.url);
    await dashboard.end();
    await until(`document.querySelector('.banner.lost')`);
    const before = dashboard.url;
    dashboard = await startDashboard(stateDir, home, port);
    t.equal(dashboard.url, before, 'with the same token');
    await until(`document.querySelector('.live.live') && !document.querySelector('.banner.lost')`);
    await until(`document.querySelectorAll('.node').length === 8`);
  });

  t.same(await violations(), [], 'the page tried nothing that its policy forbids');
});
