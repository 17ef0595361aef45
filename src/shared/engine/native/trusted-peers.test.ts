import { X509Certificate } from 'node:crypto';
import { test } from 'tap';
import { createTestCa } from '../../testing/test-ca.ts';
import { TrustedPeers } from './trusted-peers.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.now();
const ca = await createTestCa('test', NOW_MS);
const ID = 'spiffe://cluster.local/ns/shop/sa/client';
const der = (pem: string): Buffer => new X509Certificate(pem).raw;
const authorities = [der(ca.intermediatePem), der(ca.rootPem)];
const leafOf = async (notAfterMs: number): Promise<Buffer> =>
  der((await ca.issue(ID, { notAfterMs })).certChainPem);
const leaf = await leafOf(NOW_MS + DAY_MS);

/** A chain as a peer shows it, to an OpenSSL that always gives the same verdict. */
class FakeChain {
  readonly leaf: Buffer;
  readonly verified: readonly Buffer[];
  readonly #verdict: boolean;
  verifications = 0;
  acceptances = 0;

  constructor(shown: Buffer, verdict = true) {
    this.leaf = shown;
    this.verified = [shown, ...authorities];
    this.#verdict = verdict;
  }

  verify(): boolean {
    this.verifications++;
    return this.#verdict;
  }

  accept(): void {
    this.acceptances++;
  }
}

test('a peer whose chain was verified is trusted without', t => {
  const peers = new TrustedPeers();
  const [first, second] = [new FakeChain(leaf), new FakeChain(Buffer.from(leaf))];
  const known = peers.trusted('server', first, NOW_MS);
  t.match(first, { verifications: 1, acceptances: 0 });
  t.same(known?.uris, [ID]);
  t.equal(peers.trusted('server', second, NOW_MS), known);
  t.match(second, { verifications: 0, acceptances: 1 });
  t.end();
});

interface Row {
  readonly name: string;
  readonly peers?: TrustedPeers;
  readonly role?: 'client' | 'server';
  readonly shown?: Buffer;
  readonly nowMs?: number;
}

test('it is verified again', async t => {
  const seen = new TrustedPeers();
  seen.trusted('server', new FakeChain(leaf), NOW_MS);
  // Longer than its intermediate and its root.
  const lasting = await leafOf(NOW_MS + 400 * DAY_MS);
  seen.trusted('server', new FakeChain(lasting), NOW_MS);
  const other = Buffer.from(leaf);
  other.writeUInt8((other.at(-1) ?? 0) ^ 1, other.length - 1);
  const rows: readonly Row[] = [
    { name: 'by another context', peers: new TrustedPeers() },
    { name: 'in the other role', role: 'client' },
    { name: 'when a byte of the leaf differs', shown: other },
    { name: 'when the leaf has expired', nowMs: NOW_MS + DAY_MS },
    { name: 'when the clock is before its time', nowMs: NOW_MS - 2 * HOUR_MS },
    { name: 'when the rest of the chain has expired', shown: lasting, nowMs: NOW_MS + 366 * DAY_MS },
  ];
  for (const row of rows) {
    const { name, nowMs = NOW_MS, peers = seen, role = 'server', shown = leaf } = row;
    const chain = new FakeChain(shown, false);
    t.equal(peers.trusted(role, chain, nowMs), undefined, name);
    t.match(chain, { verifications: 1, acceptances: 0 }, name);
  }
  const good = new FakeChain(leaf);
  t.ok(seen.trusted('server', good, NOW_MS));
  t.equal(good.verifications, 0, 'the others have changed nothing');
});

test('what was not found good is not remembered', t => {
  const peers = new TrustedPeers();
  for (let i = 0; i < 2; i++) {
    const chain = new FakeChain(leaf, false);
    t.equal(peers.trusted('server', chain, NOW_MS), undefined);
    t.equal(chain.verifications, 1);
  }
  t.end();
});
