import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test } from 'tap';
import { stateDirectory } from './state-directory.ts';

/** A test file of its own, as far as its directories and processes matter. It says the path of its directory first. */
function testFile(body: string) {
  const program = `
    import { mkdirSync, writeFileSync } from 'node:fs';
    import { stateDirectory } from ${moduleBeside('./state-directory.ts')};
    import { ZtunnelProcess } from ${moduleBeside('./ztunnel-process.ts')};
    import { workload } from ${moduleBeside('../../shared/testing/topology.ts')};
    const ip = '127.${randomInt(64, 250)}.${randomInt(1, 250)}.1';
    const { path, remove } = stateDirectory({ workloads: [workload('client', { addresses: [ip] })] });
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>(resolve => child.once('exit', code => resolve(code)));
  return { child, ended, path: firstLine(child), errors: text(child.stderr) };
}

function moduleBeside(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href);
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout !== null) for await (const line of createInterface({ input: stdout })) return line;
  throw new Error('it ended without a line');
}

const SAY = 'console.log(path);';
const LATE = `mkdirSync(path); writeFileSync(path + '/late', '');`;
const ENDS = [
  ['a directory that is removed fails nothing', `${SAY} remove();`, 0, /^$/],
  [
    'one that is not removed fails the file, and goes with it',
    SAY,
    1,
    /^left behind: .* with mesh\.snapshot$/m,
  ],
  [
    'as does one that somebody writes into once more',
    `${SAY} remove(); ${LATE}`,
    1,
    /^left behind: .* with late$/m,
  ],
  ['and one of a test that breaks', `${SAY} throw new Error('broken');`, 1, /^left behind: /m],
] as const;

for (const [sentence, body, code, said] of ENDS) {
  test(sentence, async t => {
    const { ended, errors, path } = testFile(body);
    t.equal(await ended, code);
    t.match(await errors, said);
    t.notOk(existsSync(await path));
  });
}

test('a test that is killed: its ztunnel ends with it, its directory goes when the next one is made', async t => {
  const { child, ended, path } = testFile(`
    const ztunnel = new ZtunnelProcess({
      PROXY_MODE: 'dedicated', PROXY_WORKLOAD_INFO: 'default/client/client', LISTEN_IP: ip, STATE_DIR: path,
      XDS_ADDRESS: ip + ':1', XDS_ROOT_CA: '/nonexistent', TOKEN_PATH: 'off', FAKE_CA: 'true',
      ADMIN_ADDR: 'off', ADMIN_UNIX_SOCKET: path + '/admin.sock',
    });
    await ztunnel.says(/\\tready\\b/);
    ${SAY}`);
  t.teardown(() => child.kill('SIGKILL'));
  const left = await path;
  const admin = createConnection(`${left}/admin.sock`);
  await new Promise<void>((resolve, reject) => admin.once('connect', resolve).once('error', reject));
  const closed = new Promise<void>(resolve => admin.once('close', () => resolve()));
  child.kill('SIGKILL');
  await ended;
  await closed;
  t.ok(existsSync(left), 'nobody was there to remove it');
  const next = stateDirectory({});
  t.teardown(() => next.remove());
  t.notOk(existsSync(left));
});
