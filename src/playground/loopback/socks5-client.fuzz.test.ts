import { Socket } from 'node:net';
import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { canonicalIp } from '#shared/workload/ip.ts';
import { parseGreeting, parseRequest } from '../../ztunnel/socks5/request.ts';
import { REPLY_BYTES, socks5Opening } from './socks5-client.ts';
import { stripReply } from './strip-reply.ts';

const run = fuzzRun(3);
const port = fc.integer({ min: 1, max: 65_535 });
const ip = fc.oneof(fc.ipV4(), fc.ipV6()).map(text => canonicalIp(text) ?? '127.0.0.1');
const OK_REPLY = [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return at < bytes.length ? [...pieces, bytes.subarray(at)] : pieces;
}

function readAll(socket: Socket): Buffer {
  const pieces: Buffer[] = [];
  for (;;) {
    const piece: unknown = socket.read();
    if (!Buffer.isBuffer(piece)) return Buffer.concat(pieces);
    pieces.push(piece);
  }
}

test('our ztunnel understands every opening as it was meant', t => {
  const property = fc.property(fc.oneof(ip, fc.domain()), port, (host, number) => {
    const opening = socks5Opening(host, number);
    const greeting = parseGreeting(opening);
    if (greeting.kind !== 'greeting') return false;
    const request = parseRequest(opening.subarray(greeting.length));
    return request.kind === 'request' && request.host === host.toLowerCase() && request.port === number;
  });
  t.doesNotThrow(() => fc.assert(property, run));
  t.throws(() => socks5Opening('a'.repeat(256), 80), { message: /longer than 255 bytes/ });
  t.end();
});

test('a program reads what comes behind the reply and nothing else, however it is cut', t => {
  const property = fc.property(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 12 }),
    (data, sizes) => {
      const socket = new Socket();
      stripReply(socket, 'it');
      for (const piece of cut(Buffer.from([...OK_REPLY, ...data]), sizes)) socket.push(piece);
      const read = readAll(socket);
      socket.destroy();
      return read.equals(data);
    },
  );
  t.doesNotThrow(() => fc.assert(property, run));
  t.end();
});

test('a reply that is no success never reaches the program', t => {
  const property = fc.property(fc.uint8Array({ minLength: REPLY_BYTES, maxLength: 40 }), reply => {
    if (OK_REPLY.slice(0, 4).every((byte, i) => reply[i] === byte) && reply[5] === 1) return true;
    const socket = new Socket();
    socket.on('error', () => undefined);
    stripReply(socket, 'it');
    socket.push(Buffer.from(reply));
    return socket.destroyed && socket.read() === null;
  });
  t.doesNotThrow(() => fc.assert(property, run));
  t.end();
});
