import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import { apply, exec, getField, startExec } from './kubectl.ts';
import { inNamespace, pod } from './objects.ts';

const NAMESPACE = 'kube-system';
const READY_DEADLINE_MS = 30_000;
const CAPTURE_DEADLINE_MS = 300_000;
/** For the last packets to come out of the capture's buffers. */
const SETTLE_MS = 700;

/** What passed a node's interfaces. */
export interface Wire {
  /** Payloads, with what is not printable as dots. */
  readonly text: string;
  /** When the first packet passed, by the clock of its node; undefined: none did. */
  readonly firstPacketMs: number | undefined;
  /** Packets to a TCP port. */
  packetsTo(port: number): number;
}

/** Captures what the node sees while `action` runs, by a pod on the network of the node. The filter is tcpdump's. */
export async function watchWire(node: string, filter: string, action: () => Promise<void>): Promise<Wire> {
  const name = await sniffer(node);
  // Line by line, whole packets, numbers for names; `any` has each packet once per interface it passes.
  const tcpdump = ['tcpdump', '-Z', 'root', '-l', '-n', '-tt', '-A', '-s', '0', '-i', 'any', filter];
  const capture = startExec(NAMESPACE, name, tcpdump, CAPTURE_DEADLINE_MS);
  await eventually('tcpdump listens', READY_DEADLINE_MS, async () =>
    (await exec(NAMESPACE, name, ['cat', '/proc/net/packet'])).stdout.trim().split('\n').length > 1
      ? true
      : 'not yet',
  );
  try {
    await action();
    await sleep(SETTLE_MS);
  } finally {
    capture.stop();
  }
  const { stdout } = await capture.done;
  const first = /^(\d+\.\d+) /m.exec(stdout)?.[1];
  return {
    text: stdout,
    firstPacketMs: first === undefined ? undefined : Number(first) * 1_000,
    packetsTo: port => stdout.split('\n').filter(line => line.includes(`.${port}: Flags`)).length,
  };
}

async function sniffer(node: string): Promise<string> {
  const name = `e2e-wire-${node}`;
  const container = { securityContext: { capabilities: { add: ['NET_RAW', 'NET_ADMIN'] } } };
  await apply(inNamespace(NAMESPACE, pod(name, { node, hostNetwork: true, container })));
  await eventually(`${name} runs`, READY_DEADLINE_MS, async () => {
    const phase = await getField(NAMESPACE, 'pod', name, '.status.phase');
    return phase === 'Running' ? true : phase;
  });
  return name;
}
