import { createCipheriv, createHmac } from 'node:crypto';
import type { Server, TLSSocket } from 'node:tls';

const RecordType = { handshake: 22, data: 23 } as const;
/** RFC 8446 §4 */
const NEW_SESSION_TICKET = 4;
const KEY_UPDATE = 24;
const KEY_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Makes records of TLS 1.3 that no library sends (RFC 8446 §5.2), in the place of a peer whose handshake is done. Its
 * cipher suite is `TLS_AES_128_GCM_SHA256`.
 */
export class RecordWriter {
  #secret: Buffer;
  #key: Buffer = Buffer.alloc(0);
  #nonce: Buffer = Buffer.alloc(0);
  #sequence = 0n;

  /** @param sent records that have left under the same keys */
  constructor(secret: Buffer, sent: number) {
    this.#secret = secret;
    this.#useSecret();
    this.#sequence = BigInt(sent);
  }

  record(type: number, content: Buffer): Buffer {
    const inner = Buffer.concat([content, Buffer.from([type])]);
    const header = Buffer.from([RecordType.data, 3, 3, 0, 0]);
    header.writeUInt16BE(inner.length + TAG_BYTES, 3);
    const cipher = createCipheriv('aes-128-gcm', this.#key, this.#nextNonce()).setAAD(header);
    return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
  }

  data(text: string): Buffer {
    return this.record(RecordType.data, Buffer.from(text));
  }

  /** So many tickets in one record. */
  tickets(count: number): Buffer {
    // Lifetime and age of four bytes, a nonce, a ticket, no extensions.
    const body = [0, 0, 1, 0, 0, 0, 0, 0, 1, 7, 0, 1, 9, 0, 0];
    const message = Buffer.from([NEW_SESSION_TICKET, 0, 0, body.length, ...body]);
    return this.record(RecordType.handshake, Buffer.concat(Array<Buffer>(count).fill(message)));
  }

  /** What follows is under new keys. */
  keyUpdate(asksForAnother = false): Buffer {
    const message = Buffer.from([KEY_UPDATE, 0, 0, 1, asksForAnother ? 1 : 0]);
    const record = this.record(RecordType.handshake, message);
    this.#secret = expand(this.#secret, 'traffic upd', this.#secret.length);
    this.#useSecret();
    return record;
  }

  #useSecret(): void {
    this.#key = expand(this.#secret, 'key', KEY_BYTES);
    this.#nonce = expand(this.#secret, 'iv', NONCE_BYTES);
    this.#sequence = 0n;
  }

  /** RFC 8446 §5.3 */
  #nextNonce(): Buffer {
    const nonce = Buffer.from(this.#nonce);
    const at = NONCE_BYTES - 8;
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(at) ^ this.#sequence++, at);
    return nonce;
  }
}

/** What a side of the first connection of `peer` encrypts with, as soon as it is known. */
export function trafficSecret(peer: TLSSocket | Server, side: 'CLIENT' | 'SERVER'): Promise<Buffer> {
  return new Promise(resolve => {
    peer.on('keylog', (line: Buffer) => {
      const [label, , secret] = line.toString('latin1').trim().split(' ');
      if (label === `${side}_TRAFFIC_SECRET_0` && secret !== undefined) resolve(Buffer.from(secret, 'hex'));
    });
  });
}

/** HKDF-Expand-Label (RFC 8446 §7.1) without a context, of one block at most. */
function expand(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}
