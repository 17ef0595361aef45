import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { SocketEndpoint } from '#shared/engine/channel.ts';
import { runInNetns } from '#shared/native/netns.ts';
import { familyOf } from '#shared/native/socket-address.ts';
import type { LabNetns } from '#shared/testing/netns-lab.ts';

/** A UDP socket inside, as an application's. */
export function openIn(netns: LabNetns, { ip, port }: SocketEndpoint): Socket {
  const family = familyOf(ip);
  return runInNetns(netns.netns.fd, () => {
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      ipv6Only: family === 6,
      // At once: what binds later does so in another namespace.
      lookup: (hostname, _options, callback) => callback(null, hostname, family),
    });
    socket.bind(port, ip);
    return socket;
  });
}

/** What is answered to one message. Rejects when the kernel says that nobody is there. */
export async function askFrom(
  netns: LabNetns,
  message: Buffer,
  to: SocketEndpoint,
  sourcePort = 0,
): Promise<Buffer> {
  const socket = openIn(netns, { ip: familyOf(to.ip) === 4 ? '0.0.0.0' : '::', port: sourcePort });
  try {
    const connected = once(socket, 'connect');
    socket.connect(to.port, to.ip);
    await connected;
    return await new Promise((resolve, reject) => {
      socket.once('message', resolve).once('error', reject);
      socket.send(message);
    });
  } finally {
    socket.close();
  }
}
