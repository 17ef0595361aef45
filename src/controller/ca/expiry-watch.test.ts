import { test } from 'tap';
import { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { readSingleCertificate } from '#shared/pki/certificate-facts.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { OperatorRoot } from '../testing/operator-ca.ts';
import { ExpiryWatch } from './expiry-watch.ts';

const DAY_MS = 86_400_000;

test('the end of an intermediate: a line when it is near, one when it is there, none between, and one when it was replaced', async t => {
  const clock = new FakeClock();
  const faults = new StandingFaults();
  const lines: string[] = [];
  const root = await OperatorRoot.create('a', clock.now());
  const chainUntil = async (caUntilMs: number) => {
    const { caCert, rootCert } = await root.issueCa(clock.now(), { caUntilMs });
    return [caCert, rootCert].map(readSingleCertificate);
  };
  const ca = {
    chain: await chainUntil(clock.now() + 200 * DAY_MS),
    source: { name: 'Secret istio-system/cacerts', remedy: 'put another one there' },
  };
  const watch = new ExpiryWatch({ ca, clock, logger: loggerInto(lines), faults });
  watch.start();
  clock.advance(169 * DAY_MS);
  t.same([lines, faults.sentences], [[], []]);
  clock.advance(2 * DAY_MS);
  t.match(lines, [
    /\twarn\t.*near its end\treason="the CA's certificate ends: intermediate CN=a ca of Secret/,
  ]);
  t.match(faults.sentences, [/in 29 d/]);
  clock.advance(20 * DAY_MS);
  t.match(faults.sentences, [/in 9 d/], 'as it is now');
  t.equal(lines.length, 1);
  clock.advance(10 * DAY_MS);
  t.match(lines[1], /\terror\t.* ended at /);
  ca.chain = await chainUntil(clock.now() + 100 * DAY_MS);
  clock.advance(60_000);
  t.match(lines[2], /\tinfo\t.*good for a while again/);
  t.same(faults.sentences, []);
  watch.stop();
  t.equal(clock.pendingTimers, 0);
});
