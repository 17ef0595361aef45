import { isIpv6, parseIp } from '#shared/workload/ip.ts';
import { Flag, HEADER_BYTES, type Question } from './query.ts';
import { CLASS_IN, RecordType } from './record-type.ts';

export const ResponseCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
} as const;

/** How long a client may keep an answer: an address of the mesh is soon another one's. */
const TTL_SECONDS = 30;
/** What a client without EDNS takes over UDP. RFC 1035 §2.3.4 */
const PLAIN_UDP_BYTES = 512;
/** No packet leaves the pod, so that none is cut into pieces; it bounds what one datagram makes of a list of addresses. */
const MAX_UDP_BYTES = 4096;
/** What is said that this side takes: below the smallest packet of any path. */
const OWN_UDP_BYTES = 1232;
const MAX_TCP_BYTES = 65_535;
/** A pointer to the name of the question. RFC 1035 §4.1.4 */
const ASKED_NAME = 0xc000 | HEADER_BYTES;

export interface KnownAnswer {
  /** What the asked name is an alias of; undefined: the addresses are its own. */
  readonly alias: string | undefined;
  /** Canonical text, all of the family that was asked for. */
  readonly ips: readonly string[];
}

/** The longest answer that the client of a query takes. */
export function maxAnswerBytes(transport: 'udp' | 'tcp', question: Question | undefined): number {
  if (transport === 'tcp') return MAX_TCP_BYTES;
  const wanted = question?.edns?.udpBytes ?? PLAIN_UDP_BYTES;
  return Math.max(PLAIN_UDP_BYTES, Math.min(wanted, MAX_UDP_BYTES));
}

/** An answer of the mesh's own. One that is too long for the client says so, and nothing else: it asks again over TCP. */
export function encodeAnswer(
  query: Buffer,
  question: Question,
  known: KnownAnswer,
  maxBytes: number,
): Buffer {
  const { alias, ips } = known;
  const options = optRecord(question);
  const named = alias === undefined ? [] : [record(ASKED_NAME, RecordType.cname, encodeName(alias))];
  const [aliasBytes = 0] = named.map(({ length }) => length);
  const room = maxBytes - question.end - options.length - aliasBytes;
  const most = Math.floor(
    room / (RECORD_HEADER_BYTES + ADDRESS_BYTES[question.type === RecordType.aaaa ? 6 : 4]),
  );
  // Over TCP there is nowhere to ask again: what there is no room for is left out.
  if (ips.length > most && maxBytes < MAX_TCP_BYTES)
    return message(query, question, Flag.authoritative | Flag.truncated, [], options);
  // The alias is the data of the first record.
  const owner = named.length === 0 ? ASKED_NAME : 0xc000 | (question.end + RECORD_HEADER_BYTES);
  const addresses = ips.slice(0, most).map(ip => record(owner, question.type, parseIp(ip) ?? []));
  const records = addresses.length === 0 ? [] : [...named, ...addresses];
  return message(query, question, Flag.authoritative, records, options);
}

/** An answer that is no more than a code. @param question undefined: it could not be read, and is left out */
export function encodeError(query: Buffer, question: Question | undefined, code: number): Buffer {
  return message(query, question, code, [], optRecord(question));
}

/** That nobody has the name, of which the mesh knows all. */
export function encodeNobody(query: Buffer, question: Question): Buffer {
  return message(query, question, Flag.authoritative | ResponseCode.nameError, [], optRecord(question));
}

/**
 * Somebody else's answer as the client takes it: as it is, or, where it is too long, its head with the mark that says so.
 * The client's own identifier is in it.
 */
export function fitAnswer(
  query: Buffer,
  question: Question | undefined,
  answer: Buffer,
  maxBytes: number,
): Buffer {
  query.copy(answer, 0, 0, 2);
  if (answer.length <= maxBytes) return answer;
  const cut = message(query, question, 0, [], optRecord(question));
  cut.writeUInt16BE(answer.readUInt16BE(2) | Flag.truncated, 2);
  return cut;
}

/** A message for `query`: it answers the question, of its opcode, with the flags that a client's are copied to. */
function message(
  query: Buffer,
  question: Question | undefined,
  flags: number,
  records: readonly Buffer[],
  options: Buffer,
): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  const copied = query.readUInt16BE(2) & (Flag.opcode | Flag.recursionDesired | Flag.checkingDisabled);
  header.writeUInt16BE(Flag.response | Flag.recursionAvailable | copied | flags, 2);
  header.writeUInt16BE(question === undefined ? 0 : 1, 4);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt16BE(options.length > 0 ? 1 : 0, 10);
  const asked = query.subarray(HEADER_BYTES, question?.end ?? HEADER_BYTES);
  return Buffer.concat([header, asked, ...records, options]);
}

const RECORD_HEADER_BYTES = 12;
const ADDRESS_BYTES = { 4: 4, 6: 16 } as const;

/** RFC 1035 §4.1.3. */
function record(owner: number, type: number, data: ArrayLike<number>): Buffer {
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  header.writeUInt16BE(owner, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt16BE(CLASS_IN, 4);
  header.writeUInt32BE(TTL_SECONDS, 6);
  header.writeUInt16BE(data.length, 10);
  return Buffer.concat([header, Uint8Array.from(data)]);
}

const OPT_BYTES = 11;

/** RFC 6891 §6.1.1: an answer has one where its query has. */
function optRecord(question: Question | undefined): Buffer {
  const edns = question?.edns;
  if (edns === undefined) return Buffer.alloc(0);
  const options = Buffer.alloc(OPT_BYTES);
  options.writeUInt16BE(RecordType.opt, 1);
  options.writeUInt16BE(OWN_UDP_BYTES, 3);
  options.writeUInt8(edns.dnssecOk ? 0x80 : 0, 7);
  return options;
}

/** For the names of hosts, whose labels are no longer than they may be. */
function encodeName(name: string): Buffer {
  const labels = name.split('.').map(label => Buffer.from(`${String.fromCharCode(label.length)}${label}`));
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}

/** Of the wanted type. */
export function ofType(ips: readonly string[], type: number): readonly string[] {
  if (type !== RecordType.a && type !== RecordType.aaaa) return [];
  return ips.filter(ip => isIpv6(ip) === (type === RecordType.aaaa));
}
