import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const HEADER_BYTES = 12;
const TYPE_A = 1;
const CLASS_IN = 1;
/** Answer, authoritative, recursion available. */
const FLAGS = 0x8480;
const NAME_ERROR = 3;
const SERVER_FAILURE = 2;
/** To the name of the question. */
const NAME_POINTER = 0xc00c;

/** A name server of a test: the IPv4 addresses of names, which may change while it runs. */
export class DnsServer {
  /** What each name, in lower case, stands for. */
  readonly answers = new Map<string, readonly string[]>();
  /** It is there, and knows nothing. */
  failing = false;
  /** Names that were asked for, once for each question. */
  readonly asked: string[] = [];
  readonly #socket: Socket;
  readonly #ttlSeconds: number;

  private constructor(socket: Socket, ttlSeconds: number) {
    this.#socket = socket;
    this.#ttlSeconds = ttlSeconds;
    socket.on('message', (query, { address, port }) => {
      const answer = this.#answer(query);
      if (answer !== undefined) socket.send(answer, port, address);
    });
  }

  static async listen(ip: string, port: number, ttlSeconds: number): Promise<DnsServer> {
    const socket = createSocket('udp4');
    socket.bind(port, ip);
    await once(socket, 'listening');
    return new DnsServer(socket, ttlSeconds);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  close(): void {
    this.#socket.close();
  }

  #answer(query: Buffer): Buffer | undefined {
    const question = readQuestion(query);
    if (question === undefined) return undefined;
    const { end, name, type } = question;
    this.asked.push(name);
    const known = this.answers.get(name);
    const ips = type === TYPE_A && !this.failing ? (known ?? []) : [];
    const header = Buffer.alloc(HEADER_BYTES);
    query.copy(header, 0, 0, 2);
    const code = this.failing ? SERVER_FAILURE : known === undefined ? NAME_ERROR : 0;
    header.writeUInt16BE(FLAGS | code, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(ips.length, 6);
    const records = ips.map(ip => this.#record(ip));
    return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...records]);
  }

  #record(ip: string): Buffer {
    const record = Buffer.alloc(12);
    record.writeUInt16BE(NAME_POINTER, 0);
    record.writeUInt16BE(TYPE_A, 2);
    record.writeUInt16BE(CLASS_IN, 4);
    record.writeUInt32BE(this.#ttlSeconds, 6);
    record.writeUInt16BE(4, 10);
    return Buffer.concat([record, Buffer.from(ip.split('.').map(Number))]);
  }
}

interface Question {
  readonly name: string;
  readonly type: number;
  /** Offset of what follows it. */
  readonly end: number;
}

function readQuestion(query: Buffer): Question | undefined {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = query[at];
    if (length === undefined || length > 63) return undefined;
    at++;
    if (length === 0) break;
    labels.push(query.toString('latin1', at, at + length));
    at += length;
  }
  if (at + 4 > query.length) return undefined;
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at), end: at + 4 };
}
