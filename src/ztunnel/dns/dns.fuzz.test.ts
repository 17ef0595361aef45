import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '#shared/testing/fuzz-run.ts';
import { encodeAnswer, encodeError, fitAnswer, ofType } from './answer.ts';
import { MessageReader, framed } from './message-reader.ts';
import { parseQuery } from './query.ts';
import { decodeMessage, encodeQuery } from './testing/messages.ts';
import { isAnswerTo } from './upstream-answer.ts';

const PROPERTIES = 4;
const label = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const name = fc.array(label, { minLength: 1, maxLength: 8 }).map(labels => labels.join('.'));
const type = fc.constantFrom(1, 28, 65, 16, 255);
const ips = fc.array(fc.oneof(fc.ipV4(), fc.constant('2001:2::7')), { maxLength: 60 });
const udpBytes = fc.option(fc.nat(65_535), { nil: undefined });

test('any bytes are some kind of query, and an error can be made of those that are answered', async t => {
  const header = fc.tuple(
    fc.nat(0xffff),
    fc.constantFrom(0x0100, 0x8180, 0x2800, 0x0300),
    fc.nat(2),
    fc.nat(2),
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }).map(some => Buffer.from(some)),
    fc.tuple(header, fc.uint8Array({ maxLength: 300 })).map(([[id, flags, questions, more], rest]) => {
      const head = Buffer.alloc(12);
      [id, flags, questions, 0, 0, more].forEach((value, i) => head.writeUInt16BE(value, i * 2));
      return Buffer.concat([head, rest]);
    }),
  );
  fc.assert(
    fc.property(bytes, some => {
      const query = parseQuery(some);
      if (query.kind === 'ignored') return;
      const question = query.kind === 'malformed' ? undefined : query.question;
      if (question !== undefined && question.end > some.length) throw new Error('it ends behind the message');
      const answer = encodeError(some, question, 2);
      if (answer.length > some.length + 11) throw new Error('an error is longer than its query');
      if (isAnswerTo(some, question, some.readUInt16BE(0), answer) !== true)
        throw new Error('no answer to it');
    }),
    fuzzRun(PROPERTIES),
  );
  t.pass();
});

test('a client reads what is answered, within the size that it takes', async t => {
  fc.assert(
    fc.property(name, type, ips, udpBytes, fc.boolean(), (asked, wanted, known, size, aliased) => {
      const query = encodeQuery({
        name: asked,
        type: wanted,
        ...(size === undefined ? {} : { udpBytes: size }),
      });
      const parsed = parseQuery(query);
      if (parsed.kind !== 'question') throw new Error(parsed.kind);
      const max = Math.max(512, size ?? 0);
      const alias = aliased ? (asked.split('.', 1)[0] ?? '').toLowerCase() : undefined;
      const addresses = ofType(known, wanted);
      const bytes = encodeAnswer(query, parsed.question, { alias, ips: addresses }, max);
      const answer = decodeMessage(bytes);
      if (bytes.length > max) throw new Error('too long');
      if (answer.question?.name !== asked) throw new Error('another question');
      const got = answer.answers.filter(record => record.type === wanted).map(record => record.data);
      if (!answer.truncated && got.join() !== addresses.join()) throw new Error(`told ${got.join()}`);
      if (answer.truncated && answer.answers.length > 0) throw new Error('cut, but not empty');
    }),
    fuzzRun(PROPERTIES),
  );
  t.pass();
});

test('whatever a name server sends: it is an answer or not, and fits', async t => {
  const query = encodeQuery({ name: 'far.test', id: 7 });
  const parsed = parseQuery(query);
  const question = parsed.kind === 'question' ? parsed.question : undefined;
  const tail = fc.uint8Array({ maxLength: 600 });
  fc.assert(
    fc.property(fc.boolean(), tail, (isRight, rest) => {
      const sent = Buffer.concat([isRight ? query : Buffer.alloc(0), rest]);
      if (isRight) sent[2] = 0x81;
      if (!isAnswerTo(query, question, 7, sent)) return;
      const fitted = fitAnswer(query, question, Buffer.from(sent), 512);
      if (fitted.length > 512 || fitted.readUInt16BE(0) !== 7) throw new Error('it does not fit');
    }),
    fuzzRun(PROPERTIES),
  );
  t.pass();
});

test('a stream of messages is cut where they end', async t => {
  const messages = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 });
  fc.assert(
    fc.property(messages, fc.integer({ min: 1, max: 70 }), (sent, step) => {
      const stream = Buffer.concat(sent.map(one => framed(Buffer.from(one))));
      const reader = new MessageReader();
      const read: Buffer[] = [];
      for (let at = 0; at < stream.length; at += step)
        read.push(...reader.push(stream.subarray(at, at + step)));
      if (!Buffer.concat(read).equals(Buffer.concat(sent)) || read.length !== sent.length)
        throw new Error('other messages');
    }),
    fuzzRun(PROPERTIES),
  );
  t.pass();
});
