import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { announceTrust } from './announce-trust.ts';
import { directoryCaStore } from './ca/ca-store.ts';
import { ManagedCa } from './ca/managed-ca.ts';
import { ResourceStore } from './discovery/resource-store.ts';

test('roots that cannot be written to their file are told on the stream, and written when there is room', async t => {
  const directory = t.testdir({ ca: {} });
  const clock = new FakeClock();
  const trustDomain = parseTrustDomain('cluster.local');
  const ca = await ManagedCa.open({ clock, trustDomain, store: directoryCaStore(join(directory, 'ca')) });
  const faults = new StandingFaults();
  const lines: string[] = [];
  const logger = loggerInto(lines);
  const store = new ResourceStore();
  const rootCertPath = join(directory, 'data', 'root-cert.pem');
  const roots = (): number => readFileSync(rootCertPath, 'utf8').split('BEGIN').length - 1;
  // A file where a directory should be, as nothing stops root from writing.
  writeFileSync(join(directory, 'data'), '');
  const stop = announceTrust({ ca, rootCertPath, store, clock, logger, faults });
  t.equal(store.revision, 1);
  await ca.prepareRotation();
  t.equal(store.revision, 2);
  clock.advance(25_000);
  t.match(lines, [/\terror\ttest\tstate not written, trying again\twhat="the file of the roots .*reason="E/]);
  t.match(faults.sentences, [
    /^state not kept: the file of the roots .* cannot be written: E.*new may not trust/,
  ]);
  rmSync(join(directory, 'data'));
  clock.advance(10_000);
  t.equal(roots(), 2, 'those of now');
  t.match(lines.slice(1), [/\tinfo\ttest\tstate written again/]);
  t.same(faults.sentences, []);
  t.equal(clock.pendingTimers, 0);

  // Nothing is written where nothing differs: a disk that is read-only does not matter then.
  mkdirSync(`${rootCertPath}.tmp`);
  stop();
  announceTrust({ ca, rootCertPath, store, clock, logger, faults })();
  t.same(faults.sentences, []);
  t.same(readdirSync(join(directory, 'data')), ['root-cert.pem', 'root-cert.pem.tmp']);
});
