import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { test } from 'tap';
import { isListenedOn } from './listening.ts';

const ip = `127.${randomInt(64, 250)}.${randomInt(1, 250)}.1`;

for (const reusePort of [false, true]) {
  test(`an address is listened on as long as a listener is open (SO_REUSEPORT ${reusePort})`, async t => {
    const at = { ip, port: 15_008 };
    t.equal(isListenedOn(at), false);
    const accepted = Promise.withResolvers<Socket>();
    const server = createServer(socket => accepted.resolve(socket));
    await new Promise<void>(resolve => server.listen({ host: ip, port: at.port, reusePort }, resolve));
    t.equal(isListenedOn(at), true);
    t.equal(isListenedOn({ ip, port: 15_009 }), false);
    const client = createConnection(at.port, ip);
    const open = await accepted.promise;
    server.close();
    await new Promise(resolve => setImmediate(resolve));
    t.equal(isListenedOn(at), false, 'its connections live on, and do not count');
    open.end();
    client.end();
    open.resume();
    client.resume();
    await Promise.all([once(open, 'close'), once(client, 'close')]);
    t.equal(isListenedOn(at), false, 'nor does what the kernel keeps of them');
  });
}
