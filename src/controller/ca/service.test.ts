import { test } from 'tap';
import { createCsr } from '#shared/pki/csr.ts';
import { generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId, type SpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { parseTrustDomain } from '#shared/spiffe/trust-domain.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { directoryCaStore } from './ca-store.ts';
import { ManagedCa } from './managed-ca.ts';
import { createCertificate, type CreateCertificateRequest } from './service.ts';
import type { Authentication } from './token-authenticator.ts';

const POD = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');
const ELSEWHERE = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/payments');
const ZTUNNEL = parseSpiffeId('spiffe://cluster.local/ns/istio-system/sa/ztunnel');
const FOREIGN = parseSpiffeId('spiffe://other.example/ns/shop/sa/orders');

const node: Authentication = { ok: true, caller: { kind: 'node', identity: ZTUNNEL, node: 'node-a' } };
const workload: Authentication = { ok: true, caller: { kind: 'workload', identity: POD } };
const isIdentityOnNode = (identity: SpiffeId, name: string) => identity === POD && name === 'node-a';

async function csrFor(identity: SpiffeId): Promise<string> {
  return createCsr(await generateKey(softwareProvider, false), identity);
}

async function openCa(directory: string): Promise<CertificateAuthority> {
  return ManagedCa.open({
    clock: new FakeClock(),
    trustDomain: parseTrustDomain('cluster.local'),
    store: directoryCaStore(directory),
  });
}

const rows: readonly {
  readonly sentence: string;
  readonly caller: Authentication;
  readonly impersonatedIdentity?: string;
  readonly csr?: SpiffeId | 'bad';
  readonly seconds?: number;
  readonly expected: object;
}[] = [
  {
    sentence: 'a node gets the identity of a pod that runs on it',
    caller: node,
    impersonatedIdentity: POD,
    expected: { ok: true, identity: POD },
  },
  {
    sentence: 'a node gets its own identity',
    caller: node,
    csr: ZTUNNEL,
    expected: { ok: true, identity: ZTUNNEL },
  },
  {
    sentence: 'a workload gets its own identity, named or not',
    caller: workload,
    expected: { ok: true, identity: POD },
  },
  {
    sentence: 'an empty ImpersonatedIdentity is none',
    caller: workload,
    impersonatedIdentity: '',
    expected: { ok: true, identity: POD },
  },
  {
    sentence: 'a node is refused an identity of another node',
    caller: node,
    impersonatedIdentity: ELSEWHERE,
    expected: {
      ok: false,
      code: 'PERMISSION_DENIED',
      message: `${ZTUNNEL} of node node-a asked for ${ELSEWHERE}: no pod with it runs on node node-a`,
    },
  },
  {
    sentence: 'a workload is refused another identity, even one on its node',
    caller: { ok: true, caller: { kind: 'workload', identity: ELSEWHERE } },
    impersonatedIdentity: POD,
    expected: { ok: false, code: 'PERMISSION_DENIED', message: /a workload gets its own identity only/ },
  },
  {
    sentence: 'an identity of another trust domain is refused',
    caller: node,
    impersonatedIdentity: FOREIGN,
    expected: { ok: false, code: 'PERMISSION_DENIED', message: /signs for cluster.local only/ },
  },
  {
    sentence: 'an identity that is no SPIFFE id is refused',
    caller: node,
    impersonatedIdentity: 'spiffe://x\n',
    expected: { ok: false, code: 'INVALID_ARGUMENT', message: /"spiffe:\/\/x\\n": it must read/ },
  },
  {
    sentence: 'a caller without a good token is refused before anything else is looked at',
    caller: { ok: false, reason: 'expired' },
    csr: 'bad',
    expected: { ok: false, code: 'UNAUTHENTICATED', message: 'token refused: expired' },
  },
  {
    sentence: 'a CSR that is none is refused',
    caller: workload,
    csr: 'bad',
    expected: { ok: false, code: 'INVALID_ARGUMENT', message: /no PEM block/ },
  },
  {
    sentence: 'a CSR for another identity than the one asked for is refused',
    caller: node,
    impersonatedIdentity: POD,
    csr: ELSEWHERE,
    expected: { ok: false, code: 'INVALID_ARGUMENT', message: /the CSR’s SAN is/ },
  },
  {
    sentence: 'too short a lifetime is refused',
    caller: workload,
    seconds: 5,
    expected: { ok: false, code: 'INVALID_ARGUMENT', message: /shortest is 60 s/ },
  },
  {
    sentence: 'a negative lifetime is refused',
    caller: workload,
    seconds: -1,
    expected: { ok: false, code: 'INVALID_ARGUMENT', message: /-1 s/ },
  },
  {
    sentence: 'a lifetime that is no number is refused',
    caller: workload,
    seconds: Number.NaN,
    expected: { ok: false, code: 'INVALID_ARGUMENT' },
  },
];

for (const { sentence, caller, impersonatedIdentity, csr = POD, seconds = 0, expected } of rows) {
  test(sentence, async t => {
    const request: CreateCertificateRequest = {
      caller,
      csr: csr === 'bad' ? 'bad' : await csrFor(csr),
      validityDurationSeconds: seconds,
      ...(impersonatedIdentity === undefined ? {} : { impersonatedIdentity }),
    };
    t.match(await createCertificate({ ca: await openCa(t.testdir()), isIdentityOnNode }, request), expected);
  });
}

test('a CA that fails is UNAVAILABLE: the cause is for the log, not for the caller', async t => {
  const ca = await openCa(t.testdir());
  const failing: CertificateAuthority = {
    trustDomain: ca.trustDomain,
    trust: ca.trust,
    chain: ca.chain,
    source: ca.source,
    onTrustChange: ca.onTrustChange.bind(ca),
    issue: () => Promise.reject(new Error('slot 3: PIN wrong')),
  };
  const request = { caller: workload, csr: await csrFor(POD), validityDurationSeconds: 0 };
  const answer = await createCertificate({ ca: failing, isIdentityOnNode }, request);
  t.match(answer, { ok: false, code: 'UNAVAILABLE', cause: { message: 'slot 3: PIN wrong' } });
  t.notOk(!answer.ok && answer.message.includes('PIN'));
});
