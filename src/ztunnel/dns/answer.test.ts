import { test } from 'tap';
import { encodeAnswer, encodeError, encodeNobody, fitAnswer, maxAnswerBytes, ofType } from './answer.ts';
import { Flag, parseQuery, type Question } from './query.ts';
import { decodeMessage, encodeQuery, encodeReply, type QuerySpec, TYPES } from './testing/messages.ts';

function asked(spec: QuerySpec): { query: Buffer; question: Question } {
  const query = encodeQuery(spec);
  const parsed = parseQuery(query);
  if (parsed.kind !== 'question') throw new Error(parsed.kind);
  return { query, question: parsed.question };
}

const many = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`);

test('addresses of a name', async t => {
  const { query, question } = asked({ name: 'Orders.shop', id: 77 });
  const answer = encodeAnswer(query, question, { alias: undefined, ips: ['10.96.0.1', '10.96.0.2'] }, 512);
  t.same(decodeMessage(answer), {
    id: 77,
    flags: 0x8580,
    code: 0,
    truncated: false,
    question: { name: 'Orders.shop', type: TYPES.A },
    answers: [
      { name: 'Orders.shop', type: TYPES.A, ttl: 30, data: '10.96.0.1' },
      { name: 'Orders.shop', type: TYPES.A, ttl: 30, data: '10.96.0.2' },
    ],
    additional: [],
  });
});

test('a name that is an alias, of IPv6, with EDNS', async t => {
  const { query, question } = asked({
    name: 'api.test.shop.svc.cluster.local',
    type: TYPES.AAAA,
    udpBytes: 1400,
  });
  const answer = encodeAnswer(query, question, { alias: 'api.test', ips: ['2001:2::1'] }, 1400);
  const { answers, additional } = decodeMessage(answer);
  t.same(answers, [
    { name: 'api.test.shop.svc.cluster.local', type: TYPES.CNAME, ttl: 30, data: 'api.test' },
    { name: 'api.test', type: TYPES.AAAA, ttl: 30, data: '2001:2::1' },
  ]);
  t.match(additional, [{ name: '', type: 41 }], 'an answer has EDNS where its query has');
});

test('a name without an address of the family has an empty answer', async t => {
  const { query, question } = asked({ name: 'orders.shop', type: TYPES.AAAA });
  const answer = decodeMessage(encodeAnswer(query, question, { alias: 'orders', ips: [] }, 512));
  t.match(answer, { code: 0, answers: { length: 0 }, truncated: false });
});

test('what does not fit over UDP is asked for again over TCP, where all of it that fits is told', async t => {
  const { query, question } = asked({ name: 'a.b' });
  const ips = many(5_000);
  const cut = encodeAnswer(query, question, { alias: undefined, ips }, 512);
  t.match(decodeMessage(cut), { truncated: true, answers: { length: 0 } });
  const fits = encodeAnswer(query, question, { alias: undefined, ips: ips.slice(0, 30) }, 512);
  t.match(decodeMessage(fits), { truncated: false, answers: { length: 30 } });
  t.ok(fits.length <= 512);
  const whole = encodeAnswer(query, question, { alias: 'a', ips }, 65_535);
  t.ok(whole.length <= 65_535 && whole.length > 65_500);
  t.match(decodeMessage(whole), { truncated: false });
});

test('how much a client takes', async t => {
  const { question } = asked({ name: 'a' });
  const sized = (udpBytes: number): number => maxAnswerBytes('udp', asked({ name: 'a', udpBytes }).question);
  t.equal(maxAnswerBytes('udp', question), 512, 'without EDNS');
  t.equal(maxAnswerBytes('udp', undefined), 512);
  t.same([0, 1232, 65_535].map(sized), [512, 1232, 4096]);
  t.equal(maxAnswerBytes('tcp', question), 65_535);
});

test('errors say of which question', async t => {
  const { query, question } = asked({ name: 'orders', id: 5, udpBytes: 4096 });
  t.match(decodeMessage(encodeError(query, question, 2)), {
    id: 5,
    code: 2,
    question: { name: 'orders' },
    additional: [{ type: 41 }],
  });
  t.match(decodeMessage(encodeError(query, undefined, 1)), { id: 5, code: 1, question: undefined });
});

test('nobody has the name, says who knows all that have it', async t => {
  const { query, question } = asked({ name: 'orders', id: 5, udpBytes: 4096 });
  const bytes = encodeNobody(query, question);
  t.match(decodeMessage(bytes), {
    id: 5,
    code: 3,
    question: { name: 'orders' },
    answers: { length: 0 },
    additional: [{ type: 41 }],
  });
  t.ok(bytes.readUInt16BE(2) & Flag.authoritative);
});

test("somebody else's answer is handed on as it is, or cut where its client takes no more", async t => {
  const { query, question } = asked({ name: 'far.test', id: 9 });
  const sent = Buffer.from(query);
  sent.writeUInt16BE(4711, 0);
  const reply = encodeReply(sent, many(20));
  const expected = Buffer.from(reply);
  expected.writeUInt16BE(9, 0);
  t.same(fitAnswer(query, question, Buffer.from(reply), 512), expected, 'but for the identifier');
  const cut = decodeMessage(fitAnswer(query, question, Buffer.from(reply), 100));
  t.match(cut, { id: 9, code: 0, truncated: true, question: { name: 'far.test' }, answers: { length: 0 } });
  const refused = fitAnswer(query, undefined, encodeReply(sent, many(20), 0x8183), 100);
  t.match(decodeMessage(refused), { code: 3, truncated: true, question: undefined }, 'its code stays');
});

test('addresses of the family that was asked for', async t => {
  const ips = ['10.0.0.1', 'fd00::1'];
  t.same(ofType(ips, TYPES.A), ['10.0.0.1']);
  t.same(ofType(ips, TYPES.AAAA), ['fd00::1']);
  t.same(ofType(ips, TYPES.HTTPS), []);
});
