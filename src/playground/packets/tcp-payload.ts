/** What is looked at of one captured frame. */
export interface TcpSegment {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** A view of the frame. */
  readonly payload: Buffer;
}

const ETHERNET_BYTES = 14;
const TYPE_IPV4 = 0x0800;
const TYPE_IPV6 = 0x86dd;
const PROTOCOL_TCP = 6;

/** The TCP segment in an Ethernet frame; undefined for anything else, a damaged frame included. */
export function tcpSegment(frame: Buffer): TcpSegment | undefined {
  if (frame.length < ETHERNET_BYTES) return undefined;
  const type = frame.readUInt16BE(12);
  if (type === TYPE_IPV4) return inIpv4(frame.subarray(ETHERNET_BYTES));
  if (type === TYPE_IPV6) return inIpv6(frame.subarray(ETHERNET_BYTES));
  return undefined;
}

function inIpv4(packet: Buffer): TcpSegment | undefined {
  if (packet.length < 20 || packet.readUInt8(9) !== PROTOCOL_TCP) return undefined;
  const headerBytes = (packet.readUInt8(0) & 0x0f) * 4;
  const totalBytes = packet.readUInt16BE(2);
  if (headerBytes < 20 || totalBytes < headerBytes) return undefined;
  const address = (at: number): string => packet.subarray(at, at + 4).join('.');
  return segment(packet.subarray(headerBytes, totalBytes), address(12), address(16));
}

/** Extension headers are not followed: nothing in the playground sends them. */
function inIpv6(packet: Buffer): TcpSegment | undefined {
  if (packet.length < 40 || packet.readUInt8(6) !== PROTOCOL_TCP) return undefined;
  const address = (at: number): string => packet.toString('hex', at, at + 16);
  return segment(packet.subarray(40, 40 + packet.readUInt16BE(4)), address(8), address(24));
}

function segment(tcp: Buffer, source: string, destination: string): TcpSegment | undefined {
  if (tcp.length < 20) return undefined;
  const headerBytes = (tcp.readUInt8(12) >> 4) * 4;
  if (headerBytes < 20 || headerBytes > tcp.length) return undefined;
  return {
    source,
    destination,
    sourcePort: tcp.readUInt16BE(0),
    destinationPort: tcp.readUInt16BE(2),
    payload: tcp.subarray(headerBytes),
  };
}
