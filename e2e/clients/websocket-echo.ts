import { createHash } from 'node:crypto';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Takes WebSockets on a server, by hand, with the subprotocol `chat`, and sends their messages back. */
export function echoWebSockets(app: Server): void {
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
}

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
