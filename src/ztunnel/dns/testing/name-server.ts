import type { Socket } from 'node:dgram';
import type { SocketEndpoint } from '#shared/engine/channel.ts';
import type { LabNetns } from '#shared/testing/netns-lab.ts';
import { framed, MessageReader } from '../message-reader.ts';
import { openIn } from './datagrams.ts';
import { decodeMessage, encodeReply, TYPES } from './messages.ts';

export interface HeardQuery {
  readonly via: 'udp' | 'tcp';
  readonly from: string;
  readonly fromPort: number;
  readonly bytes: Buffer;
}

/** A name server on port 53 of an address inside, over UDP and TCP. */
export class NameServer {
  readonly heard: HeardQuery[] = [];
  /** What it answers; undefined: nothing. Default: its own last address byte, 192.0.2.x, to A, and nothing known to others. */
  answer: (query: HeardQuery) => Buffer | undefined;
  readonly #udp: Socket;

  private constructor(udp: Socket, at: SocketEndpoint) {
    this.#udp = udp;
    const own = `192.0.2.${Number.parseInt(at.ip.split(/[.:]/).at(-1) ?? '', 16)}`;
    this.answer = ({ bytes }) => {
      const isA = decodeMessage(bytes).question?.type === TYPES.A;
      return encodeReply(bytes, isA ? [own] : [], isA ? 0x8180 : 0x8183);
    };
    udp.on('message', (bytes, { address, port }) => {
      const answer = this.#hear({ via: 'udp', from: address, fromPort: port, bytes });
      if (answer !== undefined) udp.send(answer, port, address);
    });
  }

  static async listen(netns: LabNetns, ip: string): Promise<NameServer> {
    const at = { ip, port: 53 };
    const server = new NameServer(openIn(netns, at), at);
    await netns.listen(at, socket => {
      const reader = new MessageReader();
      const from = socket.remoteAddress ?? '';
      const fromPort = socket.remotePort ?? 0;
      socket.on('end', () => socket.end());
      socket.on('data', (slice: Buffer) => {
        for (const bytes of reader.push(slice)) {
          const answer = server.#hear({ via: 'tcp', from, fromPort, bytes });
          if (answer !== undefined) socket.write(framed(answer));
        }
      });
    });
    return server;
  }

  close(): void {
    this.#udp.close();
  }

  #hear(query: HeardQuery): Buffer | undefined {
    this.heard.push(query);
    return this.answer(query);
  }
}
