import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { parseJson } from '#shared/config/json.ts';
import type { Frame, ViewName } from '#shared/dashboard/frames.ts';
import { isDescription, isFrame } from '#shared/dashboard/frame-guards.ts';
import { nodePlatform } from '../../../src/cli/cli.ts';
import { runLine } from '../../../src/cli/testing/test-cli.ts';
import { eventually } from '../eventually.ts';
import { authorizationPolicy, echoPod, pod, service } from '../objects.ts';
import { MESH_NAMESPACE, nodeNames, skip, testNamespace } from '../test-namespace.ts';

const SEEN_MS = 30_000;

interface Dashboard {
  readonly frame: <V extends ViewName>(view: V, query?: string) => Promise<Extract<Frame, { view: V }>>;
  readonly describe: (kind: string, name: string) => Promise<unknown>;
}

/** `ambientctl dashboard` in this process, against the cluster, until the test is over. */
async function dashboard(t: Test): Promise<Dashboard> {
  const interrupted = new AbortController();
  const home = mkdtempSync(join(tmpdir(), 'dashboard-'));
  const opened = Promise.withResolvers<{ url: string; token: string }>();
  const platform = {
    ...nodePlatform(),
    env: { ...process.env, XDG_STATE_HOME: home },
    isPlaygroundRunning: () => false,
    untilInterrupted: () => interrupted.signal,
  };
  const done = runLine('dashboard --port 0 --interval 1', platform, text => {
    const [, url, token] = /^open (http:\S+)#token=(\S+)/.exec(text) ?? [];
    if (url !== undefined && token !== undefined) opened.resolve({ url, token });
  });
  t.teardown(async () => {
    interrupted.abort();
    await done;
    rmSync(home, { recursive: true });
  });
  const ended = done.then(({ err }) => Promise.reject(new Error(err)));
  const { token, url } = await Promise.race([opened.promise, ended]);
  const get = (path: string): Promise<Response> =>
    fetch(new URL(path, url), { headers: { authorization: `Bearer ${token}` } });
  return {
    frame: async (view, query = '') => {
      const frame = await firstEvent(await get(`/api/live?view=${view}${query}`));
      if (isFrame(frame) && isOf(frame, view)) return frame;
      throw new Error(`no frame of ${view}: ${JSON.stringify(frame).slice(0, 300)}`);
    },
    describe: async (kind, name) => (await get(`/api/describe?kind=${kind}&name=${name}`)).json(),
  };
}

function isOf<V extends ViewName>(frame: Frame, view: V): frame is Extract<Frame, { view: V }> {
  return frame.view === view;
}

async function firstEvent(response: Response): Promise<unknown> {
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const end = text.indexOf('\n\n');
    // Leaving the loop ends the stream.
    if (end >= 0) return parseJson(text.slice('data: '.length, end));
  }
  throw new Error(`no event: ${text}`);
}

test('the dashboard of a cluster: edges, proxies, what applies, and a refusal with its rule', {
  skip,
}, async t => {
  const [one = '', two = one] = await nodeNames();
  const ns = await testNamespace(t, 'dashboard');
  await ns.apply(service('server'), echoPod('server', { node: two }), pod('client', { node: one }));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const { describe, frame } = await dashboard(t);

  const graph = `&namespace=${ns.name}`;
  await eventually('the edge is there, with both identities', SEEN_MS, async () => {
    await ns.request('client', 'http://server/');
    const { edges, head } = await frame('graph', graph);
    const edge = edges.find(e => e.to === `service/${ns.name}/server`);
    const isThere =
      edge?.security === 'mutual_tls' &&
      edge.from === `workload/${ns.name}/client` &&
      [edge.sourceIdentities, edge.destinationIdentities].every(ids => ids[0]?.includes(`/ns/${ns.name}/`)) &&
      edge.figures.connectionsPerSecond > 0;
    return isThere || JSON.stringify({ edges, head });
  });
  const proxies = (await frame('proxies')).rows.filter(r => r.namespace === MESH_NAMESPACE);
  t.match(
    proxies.filter(r => r.kind === 'ztunnel'),
    [
      {
        error: '',
        version: /\d/,
        controller: /controller/,
        certificates: [{ state: 'Available', valid: true }],
      },
    ],
  );
  t.ok(proxies.some(r => r.kind === 'controller' && r.error === ''));
  const services = (await frame('services')).rows.filter(r => r.namespace === ns.name);
  t.match(services, [{ name: 'server', pods: 1, healthyPods: 1, meshedPods: 1 }]);
  const described = await describe('pod', `${ns.name}/server`);
  t.ok(isDescription(described));
  t.match(described, { facts: [{}, {}, {}, {}, { name: 'mesh', value: /captured: label/ }] });

  const rules = [{ from: [{ source: { namespaces: [ns.name] } }] }];
  await ns.apply(authorizationPolicy('nobody', { action: 'DENY', rules }, 'server'));
  await eventually('the refusal is there, with its policy and rule', SEEN_MS, async () => {
    await ns.request('client', 'http://server/');
    const { head, refusals } = await frame('problems');
    const refusal = refusals.find(r => r.policy === `${ns.name}/nobody`);
    return (
      (refusal?.rule === 0 && refusal.source === `${ns.name}/client`) || JSON.stringify({ head, refusals })
    );
  });
  await eventually('the policy has counted it, and the edge shows it', SEEN_MS, async () => {
    const [{ rows }, { edges }] = [await frame('policies'), await frame('graph', graph)];
    const policy = rows.find(r => r.namespace === ns.name && r.name === 'nobody');
    const isShown = policy?.workloads.includes(`${ns.name}/server`) === true && policy.refused > 0;
    return (isShown && edges.some(e => e.denied > 0)) || JSON.stringify({ policy, edges });
  });
});
