import { ownMounts, SmallDisk } from '#shared/testing/own-mounts.ts';
import { randomInt } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { ZtunnelProcess } from './testing/ztunnel-process.ts';

const skip = ownMounts();
const ip = `127.${randomInt(64, 250)}.${randomInt(1, 250)}.1`;

/** A dedicated ztunnel whose state directory is a small disk of its own. */
function machine(t: Test): { disk: SmallDisk; start: (socketIn?: string) => ZtunnelProcess } {
  // Short: the path of a socket has a limit.
  const directory = mkdtempSync(join(tmpdir(), 'ztunnel-disk-'));
  const state = join(directory, 'state');
  mkdirSync(state);
  const start = (socketIn = '.'): ZtunnelProcess => {
    const ztunnel = new ZtunnelProcess({
      PROXY_MODE: 'dedicated',
      PROXY_WORKLOAD_INFO: 'default/client/client',
      LISTEN_IP: ip,
      XDS_ADDRESS: `${ip}:1`,
      XDS_ROOT_CA: '/nonexistent',
      TOKEN_PATH: 'off',
      FAKE_CA: 'true',
      STATE_DIR: state,
      ADMIN_ADDR: 'off',
      ADMIN_UNIX_SOCKET: join(directory, socketIn, 'admin.sock'),
      ZTUNNEL_WORKER_THREADS: '1',
      LOG_LEVEL: 'info,ztunnel::state=debug',
    });
    t.teardown(async () => void (await ztunnel.kill()));
    return ztunnel;
  };
  return { disk: new SmallDisk(state), start };
}

function count(metrics: string): number {
  return Number(/^ambient_state_write_failures_total\{file="certificates.json"\} (\d+)$/m.exec(metrics)?.[1]);
}

test('a full disk: it starts and says so; what it could not write is written when there is room', {
  skip,
}, async t => {
  const { disk, start } = machine(t);
  disk.fill();
  const ztunnel = start();
  await ztunnel.says(/error\tztunnel::state\tstate not written.*certificates\.json.*ENOSPC/);
  t.match(await ztunnel.admin('/config_dump'), {
    certificates: [{ state: 'Available' }],
    warnings: [/^state not kept: .*certificates.json \(certificates\) cannot be written: ENOSPC/],
  });
  t.match(await ztunnel.adminText('/healthz/ready'), /state not kept/);
  t.ok(count(await ztunnel.adminText('/metrics')) >= 1);
  disk.makeRoom();
  await ztunnel.says('state written again');
  t.match(readFileSync(join(disk.path, 'certificates.json'), 'utf8'), /PRIVATE KEY/);
  t.match(await ztunnel.admin('/config_dump'), { warnings: [] });
  t.equal(ztunnel.output.split('state not written').length, 2, 'one line');
});

test('a read-only disk: it starts, keeps no keys where others may read, and says so', { skip }, async t => {
  const { disk, start } = machine(t);
  chmodSync(disk.path, 0o755);
  disk.setReadOnly(true);
  const ztunnel = start();
  await ztunnel.says(/error\tztunnel::identity\tSTATE_DIR cannot be used.*EROFS/);
  await ztunnel.says(/discovery stream ended/);
  t.match(await ztunnel.admin('/config_dump'), { warnings: [/^state not kept: .*EROFS/] });
});

test('a disk that becomes read-only: it goes on, and ends in order', { skip }, async t => {
  const { disk, start } = machine(t);
  const ztunnel = start();
  await ztunnel.says(/ztunnel::state\tstate written.*certificates\.json/);
  disk.setReadOnly(true);
  t.match(await ztunnel.admin('/config_dump'), { certificates: [{ state: 'Available' }] });
  t.equal(await ztunnel.kill('SIGTERM'), 0);
});

test('a read-only disk that its admin socket would be on: it goes without, and ends in order', {
  skip,
}, async t => {
  const { disk, start } = machine(t);
  disk.setReadOnly(true);
  const ztunnel = start('state');
  await ztunnel.says(/error\tztunnel\tadmin socket not made, going on without\t.*EROFS/);
  await ztunnel.says(/discovery stream ended/);
  t.equal(await ztunnel.kill('SIGTERM'), 0);
});

test('a disk with its admin socket that becomes read-only: it ends in order', { skip }, async t => {
  const { disk, start } = machine(t);
  const ztunnel = start('state');
  await ztunnel.says(/discovery stream ended/);
  disk.setReadOnly(true);
  t.match(await ztunnel.admin('/config_dump'), { version: /^\d/ });
  t.equal(await ztunnel.kill('SIGTERM'), 0);
});
