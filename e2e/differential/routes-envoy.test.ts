import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request as httpRequest, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { modifyPath, redirectLocation } from '#shared/route/filters.ts';
import { compileRoutes } from '#shared/route/match.ts';
import type { PathMatch, RouteMatch, RouteRule } from '#shared/route/model.ts';
import { normalizeTarget } from '#shared/route/path.ts';
import { Daemon } from '../bench/command.ts';
import { installEnvoy } from '../bench/envoy-install.ts';
import { envoyBootstrap, type RouteTable } from './envoy-routes.ts';
import { changingTables, type GeneratedRequest, requests, tables } from './route-arbitrary.ts';

/**
 * Generated routes and requests, given to our matcher and to Envoy configured the same: no difference, but those of
 * `DIFFERENCES`. `DIFFERENTIAL_SEED` repeats a run.
 */
const seed = Number(process.env['DIFFERENTIAL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const envoy = installEnvoy();
const options = envoy.ok ? {} : { skip: envoy.reason };
const TABLES = 300;
const REQUESTS = 20;

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

test(`the same rule is taken (seed ${seed})`, options, async t => {
  const made = tables(TABLES, seed).map((rules, i) => ({ host: `t${i}.test`, rules }));
  const port = await startEnvoy(t, made);
  const differences: string[] = [];
  for (const [i, { host, rules }] of made.entries()) {
    const matcher = compileRoutes({ rules });
    await each(requests(REQUESTS, seed + i), async one => {
      const path = normalizeTarget(one.target) ?? '';
      const ours = matcher.find(
        { method: one.method, scheme: 'http', authority: host, path, headers: one.headers },
        80,
      );
      const theirs = await ask(port, host, one);
      const [expected, got] = [theirs.status === 404 ? 'none' : theirs.body, ours?.rule.name ?? 'none'];
      if (expected !== got)
        differences.push(
          `${JSON.stringify(one)}: Envoy ${expected}, ours ${got} of ${JSON.stringify(rules.map(rule => rule.matches))}`,
        );
    });
  }
  t.same(differences.slice(0, 5), [], `${differences.length} of ${TABLES * REQUESTS} differ`);
});

test(`the path is changed alike, redirects lead to the same place (seed ${seed})`, options, async t => {
  const made = changingTables(TABLES, seed).map((rule, i) => ({ host: `t${i}.test`, rules: [rule] }));
  const port = await startEnvoy(t, made);
  const differences: string[] = [];
  let compared = 0;
  for (const [i, { host, rules }] of made.entries()) {
    const matcher = compileRoutes({ rules });
    await each(requests(REQUESTS, seed + i), async one => {
      const path = normalizeTarget(one.target) ?? '';
      const authority = `${host}:${port}`;
      const ours = matcher.find(
        { method: one.method, scheme: 'http', authority, path, headers: one.headers },
        port,
      );
      const theirs = await ask(port, authority, one);
      if (ours === undefined) return;
      const expected = theirs.location ?? theirs.body;
      const got = outcome(ours.rule, ours.match, path, authority, port);
      compared++;
      const difference = { rule: ours.rule, match: ours.match, path, theirs: expected, ours: got };
      if (expected !== got && !isKnown(difference))
        differences.push(
          `${one.target}: Envoy ${expected}, ours ${got} by ${JSON.stringify(ours.rule.filters)} on ${JSON.stringify(ours.match?.path)}`,
        );
    });
  }
  t.ok(compared > 100, `${compared} compared`);
  t.same(differences.slice(0, 5), [], `${differences.length} of ${compared} differ`);
});

/**
 * What is meant to differ, with the sentence that decides.
 *
 * - The change of a prefix joins the new one and the rest with exactly one slash, and leaves at least one: Gateway API,
 *   HTTPPathModifier.replacePrefixMatch ("/foo/bar", "/foo", "/xyz/" → "/xyz/bar"; "/foo", "/foo", "" → "/"). Envoy puts them
 *   together by characters.
 * - A new scheme means its well-known port: Gateway API, HTTPRequestRedirectFilter.port ("If redirect scheme is not-empty,
 *   the redirect port MUST be the well-known port associated with the redirect scheme"). Envoy keeps the request's.
 * - A path always begins with a slash: RFC 9112 §3.2.1 (origin-form). Envoy sends what its pattern made.
 */
function isKnown({ rule, match, path, theirs, ours }: Difference): boolean {
  const [filter] = rule.filters;
  if (filter?.kind !== 'rewrite' && filter?.kind !== 'redirect') return false;
  const changed = filter.kind === 'rewrite' ? filter.rewrite.path : filter.redirect.path;
  const keepsPort =
    filter.kind === 'redirect' && filter.redirect.scheme !== undefined && filter.redirect.port === undefined;
  const expected = keepsPort ? theirs.replace(/:\d+/, '') : theirs;
  if (expected === ours) return true;
  if (changed?.kind === 'regex') return ours === `/${expected}`;
  return changed?.kind === 'prefix' && expected.endsWith(byCharacters(path, changed.value, match?.path));
}

/** What Envoy makes of a path whose prefix is changed: a prefix by elements ends before its last slash. */
function byCharacters(path: string, value: string, match: PathMatch | undefined): string {
  const prefix = match?.value ?? '';
  const matched = match?.kind === 'prefix' ? prefix.replace(/\/+$/, '') || '/' : prefix;
  return value + path.slice(matched.length);
}

interface Difference {
  readonly rule: RouteRule;
  readonly match: RouteMatch | undefined;
  /** As it was before. */
  readonly path: string;
  readonly theirs: string;
  readonly ours: string;
}

function outcome(
  rule: RouteRule,
  match: RouteMatch | undefined,
  path: string,
  authority: string,
  port: number,
): string {
  const [filter] = rule.filters;
  if (filter?.kind === 'redirect')
    return redirectLocation(filter.redirect, { scheme: 'http', authority, path }, port, match?.path);
  if (filter?.kind !== 'rewrite' || filter.rewrite.path === undefined) return '';
  return modifyPath(path, filter.rewrite.path, match?.path);
}

async function each<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  await Promise.all(items.map(act));
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 });

function ask(port: number, host: string, { headers, method, target }: GeneratedRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = ['host', host, ...headers, ...(method === 'POST' ? ['content-length', '0'] : [])];
    const sent = httpRequest(
      { agent, host: '127.0.0.1', port, method, path: target, headers: all },
      response => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const { location } = response.headers;
          resolve({ status: response.statusCode ?? 0, location, body: Buffer.concat(chunks).toString() });
        });
      },
    );
    sent.on('error', reject);
    sent.setTimeout(10_000, () => sent.destroy(new Error(`${method} ${target} is not answered`)));
    sent.end();
  });
}

/** @returns the port Envoy listens on. */
async function startEnvoy(t: Test, made: readonly RouteTable[]): Promise<number> {
  const upstream = createServer((request, response) => response.end(request.url));
  const upstreamPort = await listen(upstream);
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'envoy-routes-'));
  const config = join(directory, 'envoy.json');
  writeFileSync(config, JSON.stringify(envoyBootstrap(made, port, upstreamPort)));
  const args = ['--concurrency', '1', '--log-level', 'error', '--disable-hot-restart', '-c', config];
  const daemon = new Daemon(envoy.ok ? envoy.path : '', args);
  t.teardown(async () => {
    await daemon.stop();
    upstream.closeAllConnections();
    upstream.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const probe: GeneratedRequest = { method: 'GET', target: '/', headers: [] };
  for (let tries = 0; tries < 150 && daemon.isRunning; tries++) {
    const answered = await ask(port, 'nobody.test', probe).then(
      () => true,
      () => false,
    );
    if (answered) return port;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  throw new Error(`Envoy does not listen: ${daemon.said}`);
}

function listen(server: Server): Promise<number> {
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise(resolve => server.close(resolve));
  return port;
}
