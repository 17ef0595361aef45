/** `enum` in include/net/tcp_states.h, as /proc shows it. */
const STATE_LISTEN = '0A';

/** Of the text of `/proc/net/tcp`: `sl local_address rem_address st …`, the address as `hex-ip:hex-port`. */
export function parseListening(text: string, onlyIpv4: string | undefined): number[] {
  const only = onlyIpv4 === undefined ? undefined : procAddress(onlyIpv4);
  return text.split('\n').flatMap(line => {
    const [, local = '', , state] = line.trim().split(/\s+/, 4);
    const [address, hexPort = ''] = local.split(':');
    const port = Number.parseInt(hexPort, 16);
    return state === STATE_LISTEN && !Number.isNaN(port) && (only ?? address) === address ? [port] : [];
  });
}

/** The address as one 32-bit number of a little-endian machine. */
function procAddress(ipv4: string): string {
  const bytes = ipv4.split('.').map(Number).toReversed();
  return Buffer.from(bytes).toString('hex').toUpperCase();
}
