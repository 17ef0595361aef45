import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { test } from 'tap';
import { deploy } from '../../src/waypoint/testing/deploy.ts';
import { WaypointLab } from '../../src/waypoint/testing/waypoint-lab.ts';

/** The runtime's own WebSocket client, which knows no more of a waypoint than a browser does, with a server by hand. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Sends each message back as it came, and closes as it is asked to (RFC 6455 §5): masks off, no mask on. */
function echo(socket: Socket): void {
  let held = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (data: Buffer) => {
    held = Buffer.concat([held, data]);
    for (let frame = take(held); frame !== undefined; frame = take(held)) {
      held = held.subarray(frame.end);
      socket.write(Buffer.concat([header(frame.first, frame.payload.length), frame.payload]));
      if ((frame.first & 0x0f) === 8) socket.end();
    }
  });
}

function header(first: number, length: number): Buffer {
  if (length < 126) return Buffer.from([first, length]);
  if (length < 65_536) return Buffer.from([first, 126, length >> 8, length & 255]);
  const bytes = Buffer.alloc(10);
  bytes[0] = first;
  bytes[1] = 127;
  bytes.writeBigUInt64BE(BigInt(length), 2);
  return bytes;
}

function take(held: Buffer): { first: number; payload: Buffer; end: number } | undefined {
  if (held.length < 2) return undefined;
  const short = (held[1] ?? 0) & 0x7f;
  const at = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (held.length < at + 4) return undefined;
  const length =
    short === 126 ? held.readUInt16BE(2) : short === 127 ? Number(held.readBigUInt64BE(2)) : short;
  const end = at + 4 + length;
  if (held.length < end) return undefined;
  const mask = held.subarray(at, at + 4);
  const payload = Buffer.from(held.subarray(at + 4, end));
  for (let i = 0; i < length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return { first: held[0] ?? 0, payload, end };
}

test("the runtime's WebSocket: messages small and large, text and binary, and an end with a reason", async t => {
  const lab = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => lab.close());
  const app = createServer();
  app.on('upgrade', (req: { headers: NodeJS.Dict<string | string[]> }, socket: Socket) => {
    const accept = createHash('sha1')
      .update(String(req.headers['sec-websocket-key']) + GUID)
      .digest('base64');
    const lines = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`];
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`,
    );
    echo(socket);
  });
  const { port } = await deploy(lab, [app]);
  const client = new WebSocket(`ws://127.0.0.1:${port}/room?id=1`, ['chat']);
  client.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    client.addEventListener('open', resolve);
    client.addEventListener('error', () => reject(new Error('no connection')));
  });
  t.equal(client.protocol, 'chat');
  const ask = (message: string | Uint8Array<ArrayBuffer>): Promise<unknown> =>
    new Promise(resolve => {
      client.addEventListener('message', (event: { readonly data: unknown }) => resolve(event.data), {
        once: true,
      });
      client.send(message);
    });
  t.equal(await ask('hello'), 'hello');
  t.equal(await ask('ü'.repeat(100_000)), 'ü'.repeat(100_000));
  const binary = new Uint8Array(3_000_000).fill(7);
  const back = await ask(binary);
  t.ok(
    back instanceof ArrayBuffer && Buffer.from(back).equals(Buffer.from(binary)),
    '3 MB come back as they were',
  );
  const closed = new Promise<{ code: number; reason: string }>(resolve => {
    client.addEventListener('close', ({ code, reason }) => resolve({ code, reason }));
  });
  client.close(4001, 'enough');
  t.match(await closed, { code: 4001, reason: 'enough' });
  const [line] = await lab.access(1);
  t.match(line, /response_code=101 response_flags="-"/);
});
