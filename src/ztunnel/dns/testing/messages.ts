import { ipFromBytes } from '#shared/workload/ip.ts';

export interface QuerySpec {
  readonly name: string;
  /** Default: A. */
  readonly type?: number;
  readonly id?: number;
  /** Payload size of an OPT record; undefined: none. */
  readonly udpBytes?: number;
  /** The second word; default: recursion desired. */
  readonly flags?: number;
}

export const TYPES = {
  A: 1,
  CNAME: 5,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  SVCB: 64,
  HTTPS: 65,
  ANY: 255,
} as const;

export function encodeQuery({
  name,
  type = TYPES.A,
  id = 0x1234,
  udpBytes,
  flags = 0x0100,
}: QuerySpec): Buffer {
  const words = [id, flags, 1, 0, 0, udpBytes === undefined ? 0 : 1];
  const opt = udpBytes === undefined ? [] : [0, ...word(41), ...word(udpBytes), 0, 0, 0, 0, 0, 0];
  return Buffer.concat([
    Buffer.from(words.flatMap(word)),
    encodeName(name),
    Buffer.from([...word(type), ...word(1), ...opt]),
  ]);
}

export function encodeName(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.');
  const parts = labels.map(label => Buffer.from([label.length, ...Buffer.from(label, 'latin1')]));
  return Buffer.concat([...parts, Buffer.from([0])]);
}

export interface Record {
  readonly name: string;
  readonly type: number;
  readonly ttl: number;
  /** An address, the name of an alias, or hexadecimal. */
  readonly data: string;
}

export interface Message {
  readonly id: number;
  readonly flags: number;
  readonly code: number;
  readonly truncated: boolean;
  readonly question: { readonly name: string; readonly type: number } | undefined;
  readonly answers: readonly Record[];
  readonly additional: readonly Record[];
}

/** As a client reads it, pointers followed. Throws where a client could not. */
export function decodeMessage(bytes: Buffer): Message {
  let at = 12;
  const readName = (from: number): { name: string; end: number } => {
    const labels: string[] = [];
    let end: number | undefined;
    for (let i = from, jumps = 0; ; ) {
      const length = bytes.readUInt8(i);
      if (length >= 0xc0) {
        if (++jumps > 10) throw new Error('pointers in a circle');
        end ??= i + 2;
        i = bytes.readUInt16BE(i) & 0x3fff;
        continue;
      }
      if (length === 0) return { name: labels.join('.'), end: end ?? i + 1 };
      labels.push(bytes.toString('latin1', i + 1, i + 1 + length));
      i += 1 + length;
    }
  };
  const readRecord = (): Record => {
    const { name, end } = readName(at);
    const type = bytes.readUInt16BE(end);
    const ttl = bytes.readUInt32BE(end + 4);
    const data = end + 10;
    at = data + bytes.readUInt16BE(end + 8);
    if (at > bytes.length) throw new Error('a record is cut off');
    return { name, type, ttl, data: dataOf(type, bytes.subarray(data, at), () => readName(data).name) };
  };
  const [questions = 0, answers = 0, authorities = 0, additional = 0] = [4, 6, 8, 10].map(i =>
    bytes.readUInt16BE(i),
  );
  let question: Message['question'];
  for (let i = 0; i < questions; i++) {
    const { name, end } = readName(at);
    question = { name, type: bytes.readUInt16BE(end) };
    at = end + 4;
  }
  const records = Array.from({ length: answers + authorities + additional }, readRecord);
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes too many`);
  const flags = bytes.readUInt16BE(2);
  return {
    id: bytes.readUInt16BE(0),
    flags,
    code: flags & 0xf,
    truncated: (flags & 0x0200) !== 0,
    question,
    answers: records.slice(0, answers),
    additional: records.slice(answers + authorities),
  };
}

/** An answer of a name server: the question as it is in the query, then the records. */
export function encodeReply(query: Buffer, ips: readonly string[], flags = 0x8180): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const header = Buffer.from([...query.subarray(0, 2), ...[flags, 1, ips.length, 0, 0].flatMap(word)]);
  const records = ips.map(ip =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...ip.split('.').map(Number)]),
  );
  return Buffer.concat([header, query.subarray(12, end), ...records]);
}

function dataOf(type: number, data: Buffer, name: () => string): string {
  if (type === TYPES.CNAME) return name();
  if (type === TYPES.A || type === TYPES.AAAA) return ipFromBytes(data) ?? 'no address';
  return data.toString('hex');
}

function word(value: number): number[] {
  return [value >> 8, value & 0xff];
}
