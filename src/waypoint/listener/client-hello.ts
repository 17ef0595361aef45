/** What the first bytes of a connection say about TLS. */
export type Hello =
  | { readonly kind: 'tls'; readonly serverName: string }
  | { readonly kind: 'not_tls' }
  /** Nobody looked, or it is TLS in a form that is not read here: whom the client asks for is not known. */
  | { readonly kind: 'unread' }
  /** It may still become either. */
  | { readonly kind: 'incomplete' };

const NOT_TLS: Hello = Object.freeze({ kind: 'not_tls' });
export const UNREAD: Hello = Object.freeze({ kind: 'unread' });
const INCOMPLETE: Hello = Object.freeze({ kind: 'incomplete' });

const RECORD_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const NAME_TYPE_HOST = 0;
/** Of one record (RFC 8446 §5.1). */
const MAX_RECORD = 16_384;
/** A ClientHello with post-quantum keys has about 2 KiB; one that is longer than this is passed on unread. */
export const MAX_HELLO_BYTES = 32_768;

/**
 * Reads the server name a client asks for (RFC 6066 §3) from the first bytes it sends, without touching them. Never throws: a
 * ClientHello that does not parse has no name, which whoever terminates it will refuse. What begins as TLS and is too long,
 * or cut in a way no client cuts it, is `unread`: a name in it could be hidden from a policy.
 */
export function readClientHello(bytes: Buffer): Hello {
  if (bytes.length === 0) return INCOMPLETE;
  if (bytes[0] !== RECORD_HANDSHAKE || (bytes.length > 1 && bytes[1] !== 3)) return NOT_TLS;
  const { continues, message } = joinRecords(bytes);
  const more = continues ? INCOMPLETE : UNREAD;
  if (message.length < 4) return bytes.length < MAX_HELLO_BYTES ? more : UNREAD;
  if (message[0] !== CLIENT_HELLO) return UNREAD;
  const length = message.readUIntBE(1, 3);
  if (length > MAX_HELLO_BYTES) return UNREAD;
  if (message.length < 4 + length) return more;
  return { kind: 'tls', serverName: serverNameOf(new Cursor(message.subarray(4, 4 + length))) };
}

/** The payload of the handshake records at the beginning: a client may cut its hello as it likes. */
function joinRecords(bytes: Buffer): {
  readonly message: Buffer;
  /** What follows continues it; false: what has come already does not. */
  readonly continues: boolean;
} {
  const parts: Buffer[] = [];
  let continues = true;
  for (let at = 0; at + 5 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 3);
    continues = bytes[at] === RECORD_HANDSHAKE && bytes[at + 1] === 3 && length !== 0 && length <= MAX_RECORD;
    if (!continues) break;
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return { message: Buffer.concat(parts), continues };
}

function serverNameOf(hello: Cursor): string {
  // legacy_version, random; session id, cipher suites, compression methods: each with its length.
  hello.skip(34);
  hello.skip(hello.uint8());
  hello.skip(hello.uint16());
  hello.skip(hello.uint8());
  const extensions = hello.take(hello.uint16());
  while (extensions.left > 0) {
    const type = extensions.uint16();
    const body = extensions.take(extensions.uint16());
    if (type === EXTENSION_SERVER_NAME) return hostOf(body.take(body.uint16()));
  }
  return '';
}

function hostOf(names: Cursor): string {
  while (names.left > 0) {
    const type = names.uint8();
    const name = names.take(names.uint16());
    if (type === NAME_TYPE_HOST) return name.text().toLowerCase();
  }
  return '';
}

/** Reads on; beyond the end there are zeros, and then nothing is left. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return Math.max(0, this.#bytes.length - this.#at);
  }

  uint8(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  uint16(): number {
    return this.uint8() * 256 + this.uint8();
  }

  skip(count: number): void {
    this.#at += count;
  }

  take(count: number): Cursor {
    const part = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return new Cursor(part);
  }

  text(): string {
    return this.#bytes.toString('latin1', this.#at);
  }
}
