import { type Test, test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { KubeError } from '#shared/kube/kube-error.ts';
import { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { exportPublicKey, generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { FakeKubeApi } from '#shared/testing/fake-kube-api.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { readConfig } from '../config.ts';
import { cacertsOf, OperatorRoot } from '../testing/operator-ca.ts';
import { openClusterAuthority } from './cluster-authority.ts';

const HOUR_MS = 3_600_000;
const ORDERS = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');

/** A cluster with a Secret `cacerts` whose intermediates all have one root. */
async function setUp(t: Test) {
  const clock = new FakeClock();
  const root = await OperatorRoot.create('a', clock.now(), { validFromMs: clock.now() - 90 * 24 * HOUR_MS });
  const lines: string[] = [];
  let version = 1;
  const secretUntil = async (caUntilMs: number): Promise<JsonObject> => {
    const ca = await root.issueCa(clock.now(), { validFromMs: clock.now() - 80 * 24 * HOUR_MS, caUntilMs });
    const metadata = { namespace: 'istio-system', name: 'cacerts', resourceVersion: String(version++) };
    return { metadata, data: cacertsOf(ca) };
  };
  const cluster = { secret: await secretUntil(clock.now() - HOUR_MS) };
  const api = new FakeKubeApi(({ path }) => {
    if (path.endsWith('/secrets/cacerts')) return cluster.secret;
    if (path.endsWith('/secrets')) return { metadata: { resourceVersion: '9' }, items: [cluster.secret] };
    throw new KubeError(404, 'NotFound', path);
  });
  const { ca, source } = readConfig({ SOURCE: 'kubernetes', POD_NAME: 'controller-1' });
  if (source.kind !== 'kubernetes') throw new Error('no cluster');
  const faults = new StandingFaults();
  const logger = loggerInto(lines);
  const opening = openClusterAuthority({
    ca,
    cluster: source,
    api,
    clock,
    random: () => 0.5,
    logger,
    faults,
  });
  t.teardown(async () => (await opening).stop());
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      clock.advance(500);
      for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve));
    }
  };
  return { api, clock, cluster, lines, opening, pass, secretUntil };
}

async function publicKey(): Promise<Buffer> {
  return exportPublicKey(await generateKey(softwareProvider, false));
}

test('an intermediate that had ended before the start is waited for, with one line, and taken once it is replaced', async t => {
  const { clock, cluster, lines, opening, pass, secretUntil } = await setUp(t);
  await pass(60_000);
  t.match(lines, [
    /\twarn\t.*CA not opened yet, trying again\treason="Secret istio-system\/cacerts: .*expired at .*put a CA/,
  ]);
  cluster.secret = await secretUntil(clock.now() + 300 * 24 * HOUR_MS);
  await pass(11_000);
  const { ca } = await opening;
  t.ok(await ca.issue(ORDERS, await publicKey(), 0));
});

test('an intermediate that ends while it runs is replaced without a restart, by an event', async t => {
  const { api, clock, cluster, lines, opening, pass, secretUntil } = await setUp(t);
  cluster.secret = await secretUntil(clock.now() + 30 * HOUR_MS);
  await pass(11_000);
  const { ca } = await opening;
  await pass(1_000);
  clock.advance(30 * HOUR_MS);
  await t.rejects(ca.issue(ORDERS, await publicKey(), 0), { message: /Secret istio-system\/cacerts/ });
  const taken = (secret: JsonObject): void => {
    const watch = api.watches.findLast(({ request }) => request.path.endsWith('/secrets'));
    watch?.send({ type: 'MODIFIED', object: secret });
  };
  taken(await secretUntil(clock.now() - HOUR_MS));
  await pass(120_000);
  t.equal(lines.filter(line => line.includes('not taken over')).length, 1, 'one that has ended: one line');
  const trusted = new Promise<unknown>(resolve => ca.onTrustChange(resolve));
  cluster.secret = await secretUntil(clock.now() + 300 * 24 * HOUR_MS);
  taken(cluster.secret);
  await trusted;
  t.ok(await ca.issue(ORDERS, await publicKey(), 0));
});
