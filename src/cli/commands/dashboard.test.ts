import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import type { Platform } from '../cli.ts';
import { dashboardToken } from '../dashboard/token.ts';
import { withFakeMesh } from '../testing/fake-mesh.ts';
import { expectGolden } from '../testing/golden.ts';
import { type Run, runLine, testPlatform } from '../testing/test-cli.ts';

/** As long as what it printed for somebody to open has not been looked at. */
async function whileServed(
  line: string,
  use: (url: URL, token: string) => Promise<void>,
  change: Partial<Platform> = {},
): Promise<Run> {
  const interrupted = new AbortController();
  const home = temporary();
  const failed = Promise.withResolvers<never>();
  const platform: Platform = {
    ...testPlatform(),
    env: { HOME: home, AMBIENT_STATE_DIR: '' },
    untilInterrupted: () => interrupted.signal,
    ...change,
  };
  const used = (text: string): void => {
    const [, url, token] = /^open (http:\S+)#token=(\S+)/.exec(text) ?? [];
    if (url === undefined || token === undefined) return;
    use(new URL(url), token).then(() => interrupted.abort(), failed.reject);
  };
  try {
    return await Promise.race([failed.promise, runLine(line, platform, used)]);
  } finally {
    interrupted.abort();
    rmSync(home, { recursive: true });
  }
}

function temporary(): string {
  return mkdtempSync(join(tmpdir(), 'dashboard-'));
}

async function served(t: Test, options: string, change?: Partial<Platform>): Promise<Run> {
  let run: Run | undefined;
  await withFakeMesh(async dir => {
    run = await whileServed(
      `dashboard --state-dir ${dir} --port 0 ${options}`.trim(),
      async (url, token) => {
        const page = await fetch(url);
        t.match(await page.text(), /<div id="page">/, 'the page');
        t.equal(
          (await fetch(new URL('/page.js', url))).headers.get('content-type'),
          'text/javascript; charset=utf-8',
        );
        const headers = { authorization: `Bearer ${token}` };
        const described = await fetch(new URL('/api/describe?kind=service&name=shop/payments', url), {
          headers,
        });
        t.match(await described.json(), {
          title: 'Service shop/payments',
          hops: [{}, { verdict: /ALLOW policy/ }],
        });
        const unknown = await fetch(new URL('/api/describe?kind=pod&name=shop/paymnts-v1-0', url), {
          headers,
        });
        t.equal(unknown.status, 404);
        t.match(await unknown.text(), /did you mean shop\/payments-v1-0/);
        const tapped = await fetch(new URL('/api/tap?service=payments&status=5xx', url), { headers });
        t.match(await tapped.text(), /"over":true.*"status":"503"[^]*7 more requests matched than are shown/);
      },
      change,
    );
  });
  if (run === undefined) throw new Error('it was not run');
  return run;
}

test('what it prints leads to the page, which is served until it is interrupted', async t => {
  const { err, out, status } = await served(t, '');
  t.equal(status, 0);
  t.match(err, /^shows the mesh of .*; Ctrl-C ends it$/m);
  const said = out.replace(/:\d+\//, ':15050/').replace(/token=\S+/, 'token=q8h…');
  expectGolden(t, 'dashboard', `$ ambientctl dashboard\n${said}`);
});

test('--open opens it, and says so when it cannot', async t => {
  const opened: string[] = [];
  const { err } = await served(t, '--open', {
    runProgram: (_program, args) => {
      opened.push(...args);
      return Promise.resolve({ status: undefined, stdout: '', stderr: '' });
    },
  });
  t.match(opened, [/^http:\/\/127\.0\.0\.1:\d+\/#token=/]);
  t.match(err, /could not open a browser; open the address above/);
});

test('what keeps it from being served is one line', async t => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await new Promise(resolve => taken.once('listening', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await withFakeMesh(async dir => {
    const busy = await runLine(`dashboard --state-dir ${dir} --port ${port}`);
    t.match(busy, { status: 1, err: /cannot serve on 127.0.0.1 port \d+: .*EADDRINUSE.*--port 0/ });
    t.match(await runLine(`dashboard --state-dir ${dir} --port x`), { status: 2, err: /use a port from 0/ });
  });
  t.match(await runLine('dashboard --state-dir /nonexistent'), { status: 1, err: /no mesh found/ });
  t.match(await runLine('dashboard'), { status: 1, err: /no mesh found/ });
});

test('the token is the same the next time, and nobody else can read it', t => {
  const home = temporary();
  t.teardown(() => rmSync(home, { recursive: true }));
  const first = dashboardToken({ HOME: home });
  t.match(first, /^[\w-]{32}$/);
  t.equal(dashboardToken({ HOME: home }), first);
  const file = join(home, '.local/state/ambientctl/dashboard-token');
  t.equal(statSync(file).mode & 0o777, 0o600);
  chmodSync(file, 0o644);
  t.not(dashboardToken({ HOME: home }), first, 'one that others could read is none');
  t.equal(readFileSync(file, 'utf8').trim(), first, 'and is left as it is');
  const state = join(home, 'state');
  mkdirSync(dirname(join(state, 'ambientctl/x')), { recursive: true });
  writeFileSync(join(state, 'ambientctl/dashboard-token'), 'guess me\n', { mode: 0o600 });
  t.match(dashboardToken({ XDG_STATE_HOME: state }), /^[\w-]{32}$/, 'one that is none is not taken');
  t.not(dashboardToken({}), dashboardToken({}), 'without a home it is new each time');
  t.end();
});
