import { createConnection, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { test } from 'tap';
import { systemClock } from '../../lifecycle/clock.ts';
import type { TcpChannel } from '../engine.ts';
import { createNodeEngine } from './node-engine.ts';
import { chainVerifyError, socketFd } from './node-internals.ts';

test('what the runtime does not tell counts as closed, and as not verified', async t => {
  const socket = new Socket();
  t.equal(socketFd(socket), -1);
  const tls = new TLSSocket(socket);
  const closed = new Promise(resolve => tls.on('close', resolve));
  tls.destroy();
  await closed;
  t.match(chainVerifyError(tls), /does not tell/);
});

test('an accepted socket reads into memory that all of them share', async t => {
  const engine = createNodeEngine({ clock: systemClock });
  const texts: string[] = [];
  let owned: boolean | undefined;
  await new Promise<void>((resolve, reject) => {
    const accept = (channel: TcpChannel): void => {
      owned = channel.readsAreOwned;
      channel.setHandler({
        onData: slice => void texts.push(slice.toString()),
        onEnd: () => channel.end(),
        onDrain: () => {},
        onClose: () => {
          listener.then(l => l.close()).then(resolve, reject);
        },
      });
    };
    const listener = engine.listen({ ip: '127.0.0.1', port: 0, sharedReads: true }, accept);
    listener.then(
      ({ address }) => createConnection({ port: address.port, host: address.ip }).end('hello').resume(),
      reject,
    );
  });
  t.same(texts, ['hello']);
  t.equal(owned, false, 'the pinned runtime still has what this needs');
});
