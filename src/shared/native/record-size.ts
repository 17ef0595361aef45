/** Plaintext of a record at most. RFC 8446 §5.1 */
export const MAX_RECORD_PLAIN_BYTES = 16 * 1024;

/** What header, content type and tag add to it. */
export const RECORD_OVERHEAD_BYTES = 22;

/** The largest record that a peer may send, header included: it may be padded. RFC 8446 §5.2 */
export const MAX_RECORD_BYTES = 5 + MAX_RECORD_PLAIN_BYTES + 256;
