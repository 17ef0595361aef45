import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { test } from 'tap';
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
