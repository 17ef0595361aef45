import { X509Certificate } from 'node:crypto';
import { type Test, test } from 'tap';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { ManagedCa } from '../ca/managed-ca.ts';
import { memoryCaStore } from '../testing/memory-ca-store.ts';
import { issueServerCertificate, ServerCertificateRenewal } from './server-certificate.ts';

const HOUR_MS = 3_600_000;
const identity = parseSpiffeId('spiffe://cluster.local/ns/istio-system/sa/istiod');

async function setUp(t: Test) {
  const clock = new FakeClock();
  const trustDomain = parseTrustDomain('cluster.local');
  const managed = await ManagedCa.open({ clock, trustDomain, store: memoryCaStore() });
  // A root is older than a clock is wrong.
  clock.advance(10 * 24 * HOUR_MS);
  const lines: string[] = [];
  const asked = { count: 0, refusal: undefined as string | undefined };
  const ca = {
    trustDomain: managed.trustDomain,
    trust: managed.trust,
    chain: managed.chain,
    source: managed.source,
    onTrustChange: managed.onTrustChange.bind(managed),
    issue: async (...leaf: Parameters<ManagedCa['issue']>) => {
      asked.count++;
      if (asked.refusal !== undefined) throw new Error(asked.refusal);
      return managed.issue(...leaf);
    },
  };
  const options = { ca, identity, serverNames: ['127.0.0.1'], clock, logger: loggerInto(lines) };
  const first = await issueServerCertificate(options);
  let shown = first.certificate.certChainPem;
  const renewal = new ServerCertificateRenewal(options, first, certificate => {
    shown = certificate.certChainPem;
  });
  t.teardown(() => {
    renewal.stop();
    if (clock.pendingTimers > 0) throw new Error('a timer is left behind');
  });
  asked.count = 0;
  /** In steps; what is asked for meanwhile is answered before the next. */
  const advance = async (byMs: number, stepMs = byMs): Promise<void> => {
    for (let left = byMs; left > 0; left -= stepMs) {
      clock.advance(Math.min(left, stepMs));
      while (renewal.isRenewing) await new Promise(resolve => setImmediate(resolve));
    }
  };
  /** Whether a client would accept what the controller shows. */
  const isValid = (): boolean => {
    const { validFromDate, validToDate } = new X509Certificate(shown);
    return validFromDate.getTime() <= clock.now() && clock.now() <= validToDate.getTime();
  };
  return { advance, asked, clock, isValid, lines, managed };
}

test('it is renewed at half of its life, and not before', async t => {
  const { advance, asked, isValid } = await setUp(t);
  await advance(12 * HOUR_MS - 1_000, HOUR_MS);
  t.equal(asked.count, 0);
  await advance(11_000);
  t.equal(asked.count, 1);
  t.ok(isValid());
});

/** [sentence, jump of the wall clock] */
const JUMPS: readonly (readonly [string, number])[] = [
  ['a clock that was set forward by hours', 6 * HOUR_MS + 7 * HOUR_MS],
  ['a machine that slept for days', 72 * HOUR_MS],
  ['a clock that was set back by hours', -5 * HOUR_MS],
];

for (const [sentence, jumpMs] of JUMPS) {
  test(`${sentence}: proxies get through within 21 s`, async t => {
    const { advance, clock, isValid } = await setUp(t);
    clock.jumpWallClock(jumpMs);
    await advance(21_000, 1_000);
    t.ok(isValid());
  });
}

test('a CA that refuses is asked again every ten seconds, whatever the clock does', async t => {
  const { advance, asked, clock, isValid, lines } = await setUp(t);
  asked.refusal = 'no';
  clock.jumpWallClock(30 * HOUR_MS);
  await advance(30_000, 1_000);
  clock.jumpWallClock(-60 * HOUR_MS);
  await advance(30_000, 1_000);
  t.ok(asked.count >= 5 && asked.count <= 7, String(asked.count));
  t.match(lines[0], /controller certificate not renewed, trying again\treason="no"/);
  asked.refusal = undefined;
  await advance(11_000, 1_000);
  t.ok(isValid());
});

test('with another root that signs it is renewed at once', async t => {
  const { advance, asked, managed } = await setUp(t);
  await managed.prepareRotation();
  await advance(1_000);
  t.equal(asked.count, 1);
});
