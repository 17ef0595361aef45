/** Each message is preceded by its length in two bytes. RFC 1035 §4.2.2 */
const LENGTH_BYTES = 2;

/** Takes messages out of a stream. It holds no more than one that is not complete: 64 KiB at most. */
export class MessageReader {
  #held: Buffer = Buffer.alloc(0);

  /** Messages that are complete with this slice; they are the receiver's own. */
  push(slice: Buffer): Buffer[] {
    const bytes = Buffer.concat([this.#held, slice]);
    const messages: Buffer[] = [];
    let at = 0;
    while (at + LENGTH_BYTES <= bytes.length) {
      const end = at + LENGTH_BYTES + bytes.readUInt16BE(at);
      if (end > bytes.length) break;
      messages.push(bytes.subarray(at + LENGTH_BYTES, end));
      at = end;
    }
    this.#held = bytes.subarray(at);
    return messages;
  }
}

/** As it goes into a stream. @param message of at most 65,535 bytes */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
