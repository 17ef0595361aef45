import { connect } from 'node:net';

/** A ClientHello of TLS 1.2 with nothing but a server name, or without one. */
export function clientHello(name?: string): Buffer {
  const extensions = name === undefined ? Buffer.alloc(0) : serverName(name);
  const tail = Buffer.concat([Buffer.from([0, 2, 0x13, 1, 1, 0, 0, extensions.length]), extensions]);
  const body = Buffer.concat([Buffer.from([3, 3]), Buffer.alloc(32, 7), Buffer.from([0]), tail]);
  const message = Buffer.concat([Buffer.from([1, 0, 0, body.length]), body]);
  return Buffer.concat([Buffer.from([22, 3, 1, 0, message.length]), message]);
}

function serverName(name: string): Buffer {
  const host = Buffer.from(name);
  const list = Buffer.concat([Buffer.from([0, 0, host.length]), host]);
  return Buffer.concat([Buffer.from([0, 0, 0, list.length + 2, 0, list.length]), list]);
}

/** What answers to these bytes; empty: the connection was closed. */
export async function answerTo(port: number, ...parts: readonly Buffer[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString()));
  for (const part of parts) {
    socket.write(part);
    await new Promise(resolve => setImmediate(resolve));
  }
  await new Promise(resolve => socket.on('close', resolve));
  return text;
}
