export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

function table(fill: (octet: number) => number): Uint8Array {
  const out = new Uint8Array(256);
  for (let octet = 0; octet < 256; octet++) out[octet] = fill(octet);
  return out;
}

const TCHAR = /^[!#$%&'*+.^_`|~0-9A-Za-z-]$/;

/** Lower-case form of a token octet (RFC 9110 §5.6.2), 0 for any other: one look-up checks and folds. */
export const TOKEN_LOWER = table(octet => {
  const text = String.fromCharCode(octet);
  return octet < 0x80 && TCHAR.test(text) ? text.toLowerCase().charCodeAt(0) : 0;
});

/** 1 for what a field value may contain (RFC 9110 §5.5): HTAB, SP, VCHAR, obs-text. */
export const FIELD_VALUE = table(octet => (octet === HTAB || (octet >= 0x20 && octet !== 0x7f) ? 1 : 0));

/** 1 for what a request target may contain here: visible ASCII without `#`, which no target form allows. */
export const TARGET = table(octet => (octet > 0x20 && octet < 0x7f && octet !== 0x23 ? 1 : 0));

/** Value of a hex digit, 255 for any other octet. */
export const HEX = table(octet => {
  const value = Number.parseInt(String.fromCharCode(octet), 16);
  return Number.isNaN(value) ? 255 : value;
});
