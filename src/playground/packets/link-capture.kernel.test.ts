import { once } from 'node:events';
import fc from 'fast-check';
import { test } from 'tap';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { runInNetns } from '#shared/native/netns.ts';
import { PacketSocket } from '#shared/native/packet-socket.ts';
import { cannotMakeNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { captureLink } from './link-capture.ts';
import { tcpSegment } from './tcp-payload.ts';

const skip = cannotMakeNetns();

test('what passes a link is seen, both ways', { skip }, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  const link = /(lab[0-9a-f]+a)@/.exec(lab.client.exec('ip', ['-o', 'link']))?.[1] ?? '';
  const capture = captureLink(
    systemClock,
    lab.client.netns.fd,
    link,
    segment => segment.destinationPort !== 9,
  );
  for (const ip of [lab.pod.ipv4, lab.pod.ipv6]) {
    await lab.pod.listen({ ip, port: 8080 }, socket =>
      socket.once('data', () => socket.end(`answer by ${ip}`)),
    );
    const socket = await lab.client.connect({ ip, port: 8080 });
    socket.end(`question to ${ip}`);
    socket.resume();
    await once(socket, 'end');
  }
  const { tcpPayloadByPort, payload } = await capture.stop();
  t.same([...tcpPayloadByPort], [[8080, 4]]);
  t.equal(
    payload.toString(),
    ['question to 10.77.0.2', 'answer by 10.77.0.2', 'question to fd77::2', 'answer by fd77::2'].join(''),
  );
  t.throws(() => runInNetns(lab.client.netns.fd, () => new PacketSocket('nolink')), {
    code: 'ENODEV',
    message: /watch the packets of nolink/,
  });
});

test('any frame is a segment or is none', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(0x0800, 0x86dd, 0x0806), (bytes, type) => {
      const frame = Buffer.from(bytes);
      if (frame.length >= 24) {
        frame.writeUInt16BE(type, 12);
        frame.writeUInt8(6, type === 0x0800 ? 23 : 20);
      }
      const segment = tcpSegment(frame);
      return segment === undefined || segment.payload.length <= frame.length;
    }),
  );
});
