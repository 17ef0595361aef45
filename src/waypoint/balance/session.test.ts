import { test } from 'tap';
import type { RouteBackend, SessionPersistence } from '#shared/route/model.ts';
import { workload } from '#shared/testing/topology.ts';
import { type BalancedEndpoint, EndpointLoad } from './endpoint.ts';
import { ClientSession } from './session.ts';

const POLICY: SessionPersistence = {
  kind: 'cookie',
  name: 'sid',
  path: undefined,
  absoluteTimeoutMs: undefined,
  idleTimeoutMs: undefined,
  lifetime: 'session',
};
const HOUR = 3_600_000;
const backend = (name: string, weight = 1): RouteBackend => ({
  weight,
  service: `default/${name}`,
  port: 80,
  subset: undefined,
  filters: [],
});
const V1 = backend('v1');
const V2 = backend('v2');

const endpoint = (name: string): BalancedEndpoint => {
  const w = workload(name);
  return { uid: w.uid, workload: w, targetPort: 80, load: new EndpointLoad() };
};
const ALL = ['a', 'b', 'c'].map(endpoint);
const [A, B] = ALL;

/** What a client that was served by `served` sends with its next request. */
function given(
  policy: SessionPersistence,
  served: BalancedEndpoint | undefined,
  nowMs: number,
  sent: string[] = [],
): string[] {
  const headers: string[] = [];
  if (served !== undefined) new ClientSession(policy, { headers: sent }, nowMs).write(headers, V1, served);
  if (policy.kind === 'header') return headers;
  return headers.length === 0 ? sent : ['cookie', (headers[1] ?? '').split(';')[0] ?? ''];
}

const found = (
  policy: SessionPersistence,
  headers: string[],
  nowMs: number,
  tried: readonly BalancedEndpoint[] = [],
) => new ClientSession(policy, { headers }, nowMs).find(ALL, tried);

test('the next request of a session goes to the endpoint of its first one', t => {
  for (const kind of ['cookie', 'header'] as const) {
    const policy = { ...POLICY, kind };
    t.equal(found(policy, [], 0), undefined, `${kind}: a new client may go anywhere`);
    t.equal(found(policy, given(policy, B, 0), 9 * HOUR), B, kind);
    t.equal(found(policy, given(policy, B, 0), 0, ALL), undefined, `${kind}: it has been tried`);
  }
  B?.load.setOut(true);
  t.equal(found(POLICY, given(POLICY, B, 0), 0), undefined, 'it is left out');
  B?.load.setOut(false);
  t.equal(found(POLICY, given(POLICY, endpoint('gone'), 0), 0), undefined, 'it is gone');
  t.end();
});

test('a session ends after its time, and after its time without a request', t => {
  const absolute = { ...POLICY, absoluteTimeoutMs: HOUR };
  const cookie = given(absolute, A, 0);
  t.equal(found(absolute, cookie, HOUR), A);
  t.equal(found(absolute, cookie, HOUR + 1_000), undefined);
  const idle = { ...POLICY, idleTimeoutMs: HOUR };
  let sent = given(idle, A, 0);
  for (let hour = 0.9; hour < 5; hour += 0.9) {
    t.equal(found(idle, sent, hour * HOUR), A, 'used, it goes on');
    sent = given(idle, A, hour * HOUR, sent);
  }
  t.equal(found(idle, sent, 9 * HOUR), undefined);
  t.end();
});

test('the cookie lives as long as the browser, or as long as the session', t => {
  const text = (policy: SessionPersistence): string => {
    const headers: string[] = [];
    if (A !== undefined) new ClientSession(policy, { headers: [] }, 0).write(headers, V1, A);
    return headers[1] ?? '';
  };
  t.match(text(POLICY), /^sid=2\.[0-9a-z]+\.[0-9a-z]+\.0\.0; Path=\/; HttpOnly$/);
  t.match(
    text({ ...POLICY, path: '/shop', lifetime: 'permanent', absoluteTimeoutMs: HOUR }),
    /; Max-Age=3600; Path=\/shop; HttpOnly$/,
  );
  t.end();
});

test('who knows its endpoint is told nothing, and what nobody wrote is passed over', t => {
  const sent = given(POLICY, A, 0);
  const headers: string[] = [];
  if (A !== undefined) new ClientSession(POLICY, { headers: sent }, 0).write(headers, V1, A);
  t.same(headers, []);
  for (const value of ['', '2', '2.a..0.0', '1.a.0.0', '3.a.a.0.0', '2.a.zzzzzzzz.0.0', 'x'.repeat(5_000)])
    t.equal(found(POLICY, ['cookie', `sid=${value}`], 0), undefined, value.slice(0, 20));
  t.end();
});

test('the backend of a session is kept against the weights', t => {
  const sent = (served: RouteBackend): string[] => {
    const headers: string[] = [];
    if (A !== undefined) new ClientSession(POLICY, { headers: [] }, 0).write(headers, served, A);
    return ['cookie', (headers[1] ?? '').split(';')[0] ?? ''];
  };
  const kept = (headers: string[], backends: readonly RouteBackend[]): RouteBackend | undefined =>
    new ClientSession(POLICY, { headers }, 0).backend(backends);
  const light = backend('v2', 1);
  const rows: readonly (readonly [string, RouteBackend | undefined, RouteBackend | undefined])[] = [
    ['a new client has none', kept([], [V1, V2]), undefined],
    ['the one it was led to', kept(sent(V2), [V1, V2]), V2],
    ['whatever its weight is now', kept(sent(V2), [backend('v1', 99), light]), light],
    ['but not one that is to get nothing', kept(sent(V2), [V1, backend('v2', 0)]), undefined],
    ['nor one that the rule has no more', kept(sent(V2), [V1]), undefined],
    ['nor another port of it', kept(sent(V2), [{ ...V2, port: 81 }]), undefined],
    ['nor another subset', kept(sent(V2), [{ ...V2, subset: 'canary' }]), undefined],
  ];
  for (const [name, actual, expected] of rows) t.equal(actual, expected, name);
  t.end();
});
