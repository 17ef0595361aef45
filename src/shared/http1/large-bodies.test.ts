import { test } from 'tap';
import { BodyDecoder } from './body-decoder.ts';
import { BodyEncoder } from './body-encoder.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { ByteChannel } from '../engine/channel.ts';
import type { RequestHead } from '../http/exchange.ts';
import { renderRequest } from './request-head.ts';

/** Counters of bodies longer than 2^32 bytes: one slice is looked at again and again, and nothing copies it. */
const LENGTH = 2 ** 32 + 5;
const SLICE = Buffer.alloc(16 * 1024 * 1024);
const WHOLE_SLICES = Math.floor(LENGTH / SLICE.length);

test('a declared length beyond 2^32 ends at its last byte', t => {
  const decoder = new BodyDecoder(DEFAULT_LIMITS);
  decoder.startLength(LENGTH);
  let bytes = 0;
  const receiver = { onBodyData: (slice: Buffer) => void (bytes += slice.length) };
  for (let i = 0; i < WHOLE_SLICES; i++) decoder.feed(SLICE, 0, SLICE.length, receiver);
  t.equal(decoder.done, false);
  t.equal(decoder.feed(SLICE, 0, SLICE.length, receiver), 5, 'what follows is not of the body');
  t.equal(decoder.done, true);
  t.equal(bytes, LENGTH);
  t.end();
});

test('so does a chunk, and a body of many', t => {
  const decoder = new BodyDecoder(DEFAULT_LIMITS);
  decoder.startChunked();
  let bytes = 0;
  const receiver = { onBodyData: (slice: Buffer) => void (bytes += slice.length) };
  const say = (text: string): void => void decoder.feed(Buffer.from(text), 0, text.length, receiver);
  for (let chunk = 0; chunk < 2; chunk++) {
    say(`${LENGTH.toString(16)}\r\n`);
    for (let i = 0; i < WHOLE_SLICES; i++) decoder.feed(SLICE, 0, SLICE.length, receiver);
    decoder.feed(SLICE, 0, 5, receiver);
    say('\r\n');
  }
  t.equal(decoder.done, false);
  say('0\r\n\r\n');
  t.equal(decoder.done, true);
  t.equal(bytes, 2 * LENGTH);
  t.end();
});

test('a length beyond 2^32 is written as it is, and kept to', t => {
  const encoder = new BodyEncoder();
  const head: RequestHead = {
    method: 'PUT',
    scheme: 'http',
    authority: 'h',
    path: '/',
    headers: [],
    protocol: 'HTTP/1.1',
    upgrade: undefined,
    contentLength: LENGTH,
    expectContinue: false,
  };
  const written = Buffer.from(renderRequest(head, false, encoder)).toString('latin1');
  t.match(written, new RegExp(`content-length: ${LENGTH}\r\n`, 'i'));
  let bytes = 0;
  const channel: Pick<ByteChannel, 'write'> = { write: slice => (bytes += slice.length) > 0 };
  for (let i = 0; i < WHOLE_SLICES; i++) encoder.write(channel, SLICE);
  t.equal(encoder.complete, false);
  t.equal(encoder.fits(6), false, 'one byte too many');
  t.equal(encoder.fits(5), true);
  encoder.write(channel, SLICE.subarray(0, 5));
  t.equal(encoder.complete, true);
  t.equal(bytes, LENGTH);
  t.end();
});
