import fc from 'fast-check';
import { test } from 'tap';
import { FakeClock } from '../testing/fake-clock.ts';
import { CertificateManager } from './certificate-manager.ts';
import { decodeSnapshot, encodeSnapshot } from './certificate-snapshot.ts';
import { createFakeCa } from './fake-ca.ts';
import { parseSpiffeId } from '../spiffe/spiffe-id.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 1);
const options = { interruptAfterTimeLimit: seconds * 1000, numRuns: 10_000_000 };

test('a damaged snapshot is refused, or brings in nothing but certificates that were in it', async t => {
  const clock = new FakeClock();
  const requestCertificate = await createFakeCa(clock);
  const source = new CertificateManager({ clock, requestCertificate });
  await source.waitFor(parseSpiffeId('spiffe://td/ns/a/sa/b'), 1000);
  const snapshot = source.export();
  const serial = source.materials()[0]?.serial;
  source.close();
  if (snapshot === undefined) throw new Error('nothing exported');
  const text = encodeSnapshot(snapshot);
  const damaged = fc
    .tuple(fc.nat(text.length - 1), fc.nat(20), fc.string({ maxLength: 4 }))
    .map(([at, drop, insert]) => text.slice(0, at) + insert + text.slice(at + drop));
  fc.assert(
    fc.property(fc.oneof(damaged, fc.json()), candidate => {
      const decoded = decodeSnapshot(candidate);
      if (!decoded.ok) return true;
      const manager = new CertificateManager({ clock, requestCertificate });
      try {
        manager.import(decoded.snapshot);
        return manager.materials().every(material => material.serial === serial);
      } catch (error) {
        return error instanceof Error && ['PkiError', 'SpiffeError'].includes(error.name);
      } finally {
        manager.close();
      }
    }),
    options,
  );
  t.end();
});
