import { test } from 'tap';
import { parseQuery } from './query.ts';
import { encodeQuery, encodeReply } from './testing/messages.ts';
import { isAnswerTo } from './upstream-answer.ts';

const query = encodeQuery({ name: 'far.test', id: 1 });
const parsed = parseQuery(query);
const question = parsed.kind === 'question' ? parsed.question : undefined;

/** What the server was sent, and answers. */
function reply(change: (bytes: Buffer) => void = () => undefined, name = 'far.test'): Buffer {
  const answer = encodeReply(encodeQuery({ name, id: 4711 }), ['192.0.2.1']);
  change(answer);
  return answer;
}

for (const [sentence, answer, expected] of [
  ['the answer', reply(), true],
  ['letters of the name in another case', reply(undefined, 'FAR.test'), true],
  ['another identifier', reply(b => b.writeUInt16BE(4712, 0)), false],
  ['a query', reply(b => b.writeUInt16BE(0x0100, 2)), false],
  ['another operation', reply(b => b.writeUInt16BE(0xa180, 2)), false],
  ['another name', reply(undefined, 'fat.test'), false],
  ['another type', reply(b => b.writeUInt16BE(28, 22)), false],
  ['another class', reply(b => b.writeUInt16BE(3, 24)), false],
  ['a refusal without question', reply(b => b.writeUInt32BE(0x81810000, 2)), true],
  ['a success without question', reply(b => b.writeUInt32BE(0x81800000, 2)), false],
  ['two questions', reply(b => b.writeUInt16BE(2, 4)), false],
  ['a header that is cut off', reply().subarray(0, 11), false],
  ['a question that is cut off', reply().subarray(0, 20), false],
] as const) {
  test(`${sentence} is ${expected ? 'taken' : 'none'}`, async t => {
    t.ok(question);
    t.equal(isAnswerTo(query, question, 4711, answer), expected);
  });
}

test('of what could not be read itself, identifier and operation count', async t => {
  const update = encodeQuery({ name: 'far.test', flags: 0x2800 });
  const answer = (flags: number): Buffer => encodeReply(encodeQuery({ name: 'x', id: 4711 }), [], flags);
  t.equal(isAnswerTo(update, undefined, 4711, answer(0xa800)), true);
  t.equal(isAnswerTo(update, undefined, 4711, answer(0x8000)), false);
  t.equal(isAnswerTo(update, undefined, 1, answer(0xa800)), false);
});
