import { test } from 'tap';
import { systemClock } from '../../lifecycle/clock.ts';
import type { TcpChannel } from '../engine.ts';
import { createSharedNativeEngine } from './native-engine.ts';

test('what is deferred runs in the same turn, behind the sending of what was written', async t => {
  const engine = createSharedNativeEngine({ clock: systemClock });
  const order: string[] = [];
  const closed = Promise.withResolvers<void>();
  const listener = await engine.listen({ ip: '127.0.0.1', port: 0 }, channel => serve(channel));
  const serve = (channel: TcpChannel): void =>
    channel.setHandler({
      onData: () => {
        engine.defer?.(() => order.push(`deferred, ${channel.bufferedBytes} bytes left`));
        channel.write(Buffer.from('answer'));
        order.push(`written, ${channel.bufferedBytes} bytes left`);
        queueMicrotask(() => order.push('the turn is over'));
        channel.end();
      },
      onEnd: () => undefined,
      onDrain: () => undefined,
      onClose: () => undefined,
    });
  const client = await engine.connect({ remote: listener.address, timeoutMs: 5_000 });
  client.setHandler({
    onData: () => order.push('answered'),
    onEnd: () => client.end(),
    onDrain: () => undefined,
    onClose: () => closed.resolve(),
  });
  client.write(Buffer.from('request'));
  await closed.promise;
  await listener.close();
  t.same(order, ['written, 6 bytes left', 'deferred, 0 bytes left', 'the turn is over', 'answered']);
});
