import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { runInNetns } from '#shared/native/netns.ts';
import { PacketSocket } from '#shared/native/packet-socket.ts';
import type { CapturedTraffic, PacketCapture } from '../scenario/mesh-under-test.ts';
import { type TcpSegment, tcpSegment } from './tcp-payload.ts';

/** Short against the time the kernel's buffer takes to fill. */
const READ_EVERY_MS = 2;
const MAX_PAYLOAD_BYTES = 256 * 1024 * 1024;
/** Ports above it are the kernel's choice for clients. */
const FIRST_EPHEMERAL_PORT = 32_768;

/** Copies the TCP payloads that pass an interface and that `wanted` accepts, until `stop`. */
export function captureLink(
  clock: Clock,
  netnsFd: number,
  link: string,
  wanted: (segment: TcpSegment) => boolean,
): PacketCapture {
  const socket = runInNetns(netnsFd, () => new PacketSocket(link));
  const payloads: Buffer[] = [];
  const byPort = new Map<number, number>();
  let bytes = 0;
  const drain = (): void => {
    for (let frame = socket.read(); frame !== undefined; frame = socket.read()) {
      const segment = tcpSegment(frame);
      if (segment === undefined || segment.payload.length === 0 || !wanted(segment)) continue;
      const port = servicePort(segment);
      byPort.set(port, (byPort.get(port) ?? 0) + 1);
      bytes += segment.payload.length;
      if (bytes <= MAX_PAYLOAD_BYTES) payloads.push(Buffer.from(segment.payload));
    }
  };
  let timer: Timer;
  const loop = (): void => {
    drain();
    timer = clock.setTimer(READ_EVERY_MS, loop);
  };
  loop();
  return {
    async stop(): Promise<CapturedTraffic> {
      timer.cancel();
      drain();
      socket.close();
      return { tcpPayloadByPort: byPort, payload: Buffer.concat(payloads) };
    },
  };
}

function servicePort({ sourcePort, destinationPort }: TcpSegment): number {
  const lower = Math.min(sourcePort, destinationPort);
  return lower < FIRST_EPHEMERAL_PORT ? lower : destinationPort;
}
