import { ownMounts, SmallDisk } from '#shared/testing/own-mounts.ts';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { createCertificateClient } from '#shared/discovery/certificate-client.ts';
import type { ControllerEndpoint } from '#shared/discovery/controller-channel.ts';
import { tokenReader, trustBundleReader } from '#shared/discovery/controller-credentials.ts';
import { LogLevels } from '#shared/observability/logger.ts';
import { createCsr } from '#shared/pki/csr.ts';
import { generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { parseSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { startController } from './app.ts';
import { LeafJournal } from './ca/leaf-journal.ts';
import { LeafLedger } from './ca/leaf-ledger.ts';
import { readConfig } from './config.ts';
import { askAdmin } from './testing/admin-socket.ts';

const skip = ownMounts();
const ORDERS = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/orders');
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'orders', namespace: 'shop' },
  spec: { nodeName: 'node-a', serviceAccountName: 'orders' },
  status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
};

interface Running {
  readonly warnings: () => Promise<unknown>;
  readonly certificate: () => Promise<readonly string[]>;
  readonly stop: () => Promise<void>;
}

/** A machine whose controller keeps everything on one small disk. */
function machine(t: Test): { disk: SmallDisk; start: () => Promise<Running> } {
  const directory = mkdtempSync(join(tmpdir(), 'controller-disk-'));
  const data = join(directory, 'data');
  const config = join(directory, 'config');
  for (const path of [data, config]) mkdirSync(path);
  writeFileSync(join(config, 'pod.json'), JSON.stringify(POD));
  const disk = new SmallDisk(data);
  const adminSocket = join(directory, 'admin.sock');
  const tokenPath = join(directory, 'token');
  // Each lives longer than those before, so that the CA has something to write.
  let days = 0;
  const alive = setInterval(() => undefined, 60_000);
  t.teardown(() => clearInterval(alive));

  const start = async (): Promise<Running> => {
    const read = readConfig({
      CONFIG_DIR: config,
      DATA_DIR: data,
      XDS_ADDRESS: '127.0.0.1:15012',
      ADMIN_ADDR: 'off',
      STATS_ADDR: 'off',
      READINESS_ADDR: 'off',
      ADMIN_UNIX_SOCKET: adminSocket,
    });
    const discovery = { ip: '127.0.0.1', port: 0 };
    const controller = await startController({ ...read, discovery }, { levels: new LogLevels('error') });
    const query = 'namespace=istio-system&serviceAccount=ztunnel&node=node-a';
    const { body } = await askAdmin(adminSocket, 'POST', `/token?${query}`);
    writeFileSync(tokenPath, body);
    const endpoint: ControllerEndpoint = {
      address: `127.0.0.1:${controller.port}`,
      trustBundle: trustBundleReader(join(data, 'root-cert.pem')),
      token: tokenReader(tokenPath),
      clusterId: 'Kubernetes',
    };
    return {
      stop: () => controller.stop(),
      async warnings() {
        const dump = parseJson((await askAdmin(adminSocket, 'GET', '/config_dump')).body);
        return isJsonObject(dump) ? dump['warnings'] : undefined;
      },
      async certificate() {
        const csrPem = await createCsr(await generateKey(softwareProvider, false), ORDERS);
        const request = { csrPem, validitySeconds: (days += 10) * 86_400, impersonatedIdentity: ORDERS };
        return createCertificateClient(endpoint).createCertificate(request);
      },
    };
  };
  return { disk, start };
}

test('a full disk: a controller gives certificates, and says what it cannot write', { skip }, async t => {
  const { disk, start } = machine(t);
  const first = await start();
  disk.fill();
  t.equal((await first.certificate()).length, 3);
  t.match(await first.warnings(), [/state not kept: the state of the CA cannot be written: ENOSPC/]);
  await first.stop();

  const second = await start();
  t.equal((await second.certificate()).length, 3, 'one that is started anew on it too');
  await second.stop();
  disk.makeRoom();
  const third = await start();
  await third.certificate();
  t.same(await third.warnings(), []);
  await third.stop();
});

test('a read-only disk: a controller starts from what is there, and gives certificates', {
  skip,
}, async t => {
  const { disk, start } = machine(t);
  const first = await start();
  await first.certificate();
  await first.stop();
  disk.setReadOnly(true);
  const second = await start();
  t.equal((await second.certificate()).length, 3);
  t.match(await second.warnings(), [/EROFS/]);
  await second.stop();
});

test('a journal of leaves that cannot even be removed is not believed', { skip }, t => {
  const directory = mkdtempSync(join(tmpdir(), 'journal-disk-'));
  const disk = new SmallDisk(directory);
  const clock = new FakeClock();
  const said: (string | undefined)[] = [];
  const open = (unknownUntilMs: number): LeafLedger => {
    const onState = (failure: string | undefined): void => void said.push(failure);
    const path = join(directory, 'leaves.jsonl');
    return new LeafLedger(clock, unknownUntilMs, new LeafJournal({ path, clock, onState, bootId: 'one' }));
  };
  const leaf = { signer: 'a', notAfterMs: clock.now() + 3_600_000 };
  const running = open(0);
  running.record('node', 'one', leaf);
  disk.setReadOnly(true);
  running.record('node', 'two', leaf);
  t.match(said, [/EROFS/]);
  t.equal(open(clock.now() + 60_000).othersThan('b'), undefined, 'the second leaf is not in it');
  disk.setReadOnly(false);
  clock.advance(10_000);
  running.record('node', 'three', leaf);
  t.equal(open(clock.now() + 60_000).othersThan('b'), 3);
  t.end();
});
