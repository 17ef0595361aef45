import { Flag, HEADER_BYTES, type Question } from './query.ts';

/**
 * Whether a message of the name server that was asked is the answer to this query: who guesses the port has to guess this too.
 * RFC 5452 §9.1
 *
 * @param id what the query was sent with
 */
export function isAnswerTo(
  query: Buffer,
  question: Question | undefined,
  id: number,
  answer: Buffer,
): boolean {
  if (answer.length < HEADER_BYTES || answer.readUInt16BE(0) !== id) return false;
  const flags = answer.readUInt16BE(2);
  const opcode = query.readUInt16BE(2) & Flag.opcode;
  if ((flags & Flag.response) === 0 || (flags & Flag.opcode) !== opcode) return false;
  if (question === undefined) return true;
  const questions = answer.readUInt16BE(4);
  // A server that could not read the question, or would not, may leave it out.
  if (questions === 0) return (flags & Flag.code) !== 0;
  return questions === 1 && sameQuestion(query, answer, question.end);
}

/** Letters of a name count the same in either case (RFC 4343); lengths of labels are below all of them. */
function sameQuestion(query: Buffer, answer: Buffer, end: number): boolean {
  if (answer.length < end) return false;
  const nameEnd = end - 4;
  for (let at = HEADER_BYTES; at < end; at++) {
    const [a, b] = [query[at] ?? 0, answer[at] ?? 0];
    if (a !== b && (at >= nameEnd || lower(a) !== lower(b))) return false;
  }
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
