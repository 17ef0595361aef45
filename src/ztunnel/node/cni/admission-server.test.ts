import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { type AdmissionRequest, formatAdmissionRequest } from '#shared/cni/admission.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { AdmissionServer } from './admission-server.ts';

const REQUEST: AdmissionRequest = {
  command: 'add',
  uid: 'u-1',
  namespace: 'shop',
  name: 'orders-1',
  netns: '/run/netns/a',
  ips: ['10.0.0.1'],
};

function setUp(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'cni-'));
  const path = join(directory, 'cni.sock');
  const clock = new FakeClock();
  const servers: AdmissionServer[] = [];
  const lines: string[] = [];
  const logger = loggerInto(lines);
  const make = (name: string, charges: string[] = []): AdmissionServer => {
    const server = new AdmissionServer({
      path,
      answer: ({ command, name: pod }) =>
        Promise.resolve({ ok: true, captured: true, reason: `${name} ${command} ${pod}` }),
      onCharge: () => void charges.push(name),
      clock,
      logger,
    });
    servers.push(server);
    return server;
  };
  t.teardown(async () => {
    for (const server of servers) await server.stop(false);
    rmSync(directory, { recursive: true, force: true });
  });
  const ask = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = createConnection(path);
      let answer = '';
      socket.on('data', data => (answer += data.toString()));
      socket.on('error', reject);
      socket.on('close', () => resolve(answer));
      socket.end(text);
    });
  return { path, clock, make, ask, lines };
}

test('a plugin asks and is answered', async t => {
  const { make, ask, path } = setUp(t);
  await make('first').start();
  t.equal(
    await ask(formatAdmissionRequest(REQUEST)),
    '{"ok":true,"captured":true,"reason":"first add orders-1"}\n',
  );
  t.equal(statSync(path).mode & 0o777, 0o600, 'nobody but root');
});

test('who speaks otherwise is told so', async t => {
  const { make, ask } = setUp(t);
  await make('first').start();
  t.match(await ask('hello\n'), /"ok":false,"reason":".*JSON/);
  t.match(await ask(`{"version":2}\n`), /plugin and ztunnel are not of the same release/);
  t.match(await ask(`${'x'.repeat(70_000)}\n`), /a line is longer than 65536 bytes/);
});

test('of two, the plugin finds the younger; the older takes over when that one dies', async t => {
  const { make, ask, path } = setUp(t);
  const charges: string[] = [];
  const [old, young] = [make('old', charges), make('young', charges)];
  await old.start();
  t.ok(old.isInCharge());
  await young.start();
  t.notOk(old.isInCharge());
  t.ok(young.isInCharge());
  t.match(await ask(formatAdmissionRequest(REQUEST)), 'young');
  await old.check();
  t.ok(young.isInCharge(), 'while it lives it is left alone');
  await young.stop(false);
  t.ok(existsSync(path), 'who asks now is refused at once');
  t.notOk(old.isInCharge());
  await old.check();
  t.ok(old.isInCharge());
  t.same(charges, ['old']);
  t.match(await ask(formatAdmissionRequest(REQUEST)), 'old');
});

test('an old one that stops does not take the path from its successor', async t => {
  const { make, ask, path } = setUp(t);
  const [old, young] = [make('old'), make('young')];
  await old.start();
  await young.start();
  await old.stop(true);
  t.match(await ask(formatAdmissionRequest(REQUEST)), 'young');
  await young.stop(true);
  t.notOk(existsSync(path), 'the last one of all leaves nothing');
});

test('a path that somebody removed is made again', async t => {
  const { make, ask, path } = setUp(t);
  const server = make('first');
  await server.start();
  rmSync(path);
  await server.check();
  t.match(await ask(formatAdmissionRequest(REQUEST)), 'first');
});

test('a path that cannot be made is told of, once, until it can', async t => {
  const { make, ask, path, lines } = setUp(t);
  const server = make('first');
  await server.start();
  t.equal(server.failure, undefined);
  rmSync(dirname(path), { recursive: true });
  for (let looks = 0; looks < 3; looks++) await server.check();
  t.match(
    server.failure,
    /^the directory of .*cni.sock was removed on the node; a ztunnel that is started anew/,
  );
  t.equal(lines.filter(line => line.includes('the CNI plugin finds no ztunnel')).length, 1, 'one line');
  t.ok(server.isInCharge(), 'the pods that are there are still its own affair');
  mkdirSync(dirname(path));
  await server.check();
  t.equal(server.failure, undefined);
  t.match(await ask(formatAdmissionRequest(REQUEST)), 'first');
});

test('a start goes on where the path cannot be made, and makes it when it can', async t => {
  const { make, ask, path, clock } = setUp(t);
  const directory = dirname(path);
  rmSync(directory, { recursive: true });
  writeFileSync(directory, '');
  const charges: string[] = [];
  const server = make('first', charges);
  await server.start();
  t.match(server.failure, /cni.sock cannot be made: /);
  rmSync(directory);
  mkdirSync(directory);
  clock.advance(2_000);
  while (server.failure !== undefined) await new Promise(resolve => setImmediate(resolve));
  t.match(await ask(formatAdmissionRequest(REQUEST)), 'first');
  t.same(charges, ['first']);
});

test('a path that may not be looked at takes no pod from whoever has it', async t => {
  const { make, path } = setUp(t);
  const server = make('first');
  await server.start();
  // What is below a file cannot be looked at either: ENOTDIR, as EACCES without the right to pass any directory.
  rmSync(dirname(path), { recursive: true });
  writeFileSync(dirname(path), '');
  t.ok(server.isInCharge());
  await server.check();
  t.match(server.failure, /cni.sock cannot be made: /);
});
