import { test } from 'tap';
import { type CertificateFacts, readSingleCertificate } from '#shared/pki/certificate-facts.ts';
import { createOperatorCa } from '../testing/operator-ca.ts';
import { expiryWarning } from './chain-expiry.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);
const SOURCE = { name: 'Secret istio-system/cacerts', remedy: 'put another one there' };

interface Row {
  readonly sentence: string;
  readonly caDays: number;
  readonly rootDays?: number;
  /** Of its life, how much is over. */
  readonly ageDays: number;
  readonly warning: RegExp | undefined;
}

const ROWS: readonly Row[] = [
  { sentence: 'of a year: thirty days before', caDays: 30, ageDays: 335, warning: undefined },
  {
    sentence: 'of a year: less than thirty days before',
    caDays: 29.9,
    ageDays: 335,
    warning:
      /^the CA's certificate ends: intermediate CN=a ca of Secret istio-system\/cacerts ends at 2026-01-30T21:36:00.000Z, in 29 d, and every certificate of the mesh with it: put another one there$/,
  },
  {
    sentence: 'of two months, which cert-manager replaces twenty days before its end',
    caDays: 15,
    ageDays: 45,
    warning: undefined,
  },
  { sentence: 'of two months, and it did not', caDays: 14.9, ageDays: 45.1, warning: /in 14 d, / },
  { sentence: 'of a day', caDays: 0.26, ageDays: 0.74, warning: undefined },
  { sentence: 'of a day, at its end', caDays: 0.2, ageDays: 0.8, warning: /in 4 h, / },
  {
    sentence: 'one that has ended',
    caDays: 0,
    ageDays: 90,
    warning: / ended at 2026-01-01T00:00:00.000Z, and nothing is signed: put/,
  },
  {
    sentence: 'the root above it',
    caDays: 300,
    rootDays: 20,
    ageDays: 345,
    warning: /^the CA's certificate ends: root CN=a root of .* ends at .*, in 20 d/,
  },
];

for (const { ageDays, caDays, rootDays = 3_000, sentence, warning } of ROWS) {
  test(`a certificate of the CA near its end: ${sentence}`, async t => {
    const ca = await createOperatorCa('a', NOW, {
      validFromMs: NOW - ageDays * DAY_MS,
      caUntilMs: NOW + caDays * DAY_MS,
      rootUntilMs: NOW + rootDays * DAY_MS,
    });
    const chain: CertificateFacts[] = [ca.caCert, ca.rootCert].map(readSingleCertificate);
    const said = expiryWarning(chain, SOURCE, NOW);
    if (warning === undefined) t.equal(said, undefined);
    else t.match(said, warning);
  });
}
