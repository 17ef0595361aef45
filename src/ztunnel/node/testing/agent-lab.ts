import { systemClock } from '#shared/lifecycle/clock.ts';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import type { LabNetns } from '#shared/testing/netns-lab.ts';
import { MeshGate } from '../../pod/mesh-gate.ts';
import { CAPTURE_PORTS } from '../../redirect/capture-rules.ts';
import { createNft } from '../../redirect/nft.ts';
import type { EnrolledPod, LeaveReason, PodDnsServer, PodWorkers } from '../enrolment.ts';
import type { LocalPod, PodSource, PodStatus } from '../local-pod.ts';
import { NodeAgent, type NodeAgentOptions } from '../node-agent.ts';

export const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' };

/** Holds the pods a test puts there; remembers what was reported, in order. */
class FakeSource implements PodSource {
  readonly reports: string[] = [];
  readonly statuses = new Map<string, PodStatus>();
  readonly pods = new Map<string, LocalPod>();
  #onPods: ((pods: ReadonlyMap<string, LocalPod>) => void) | undefined;

  async start(onPods: (pods: ReadonlyMap<string, LocalPod>) => void): Promise<void> {
    this.#onPods = onPods;
    this.publish();
  }

  publish(): void {
    this.#onPods?.(new Map(this.pods));
  }

  async report(uid: string, status: PodStatus): Promise<void> {
    this.reports.push(status.state);
    this.statuses.set(uid, status);
  }

  async stop(): Promise<void> {}
}

/** Answers nothing, but says what it was asked. */
class FakeWorkers implements PodWorkers {
  readonly calls: string[] = [];
  failures = 0;
  hasIdentity = true;
  othersHave = false;
  readonly left: LeaveReason[] = [];

  async enrol(pod: EnrolledPod): Promise<void> {
    this.calls.push(`enrol ${pod.pod.name}`);
    if (this.failures-- > 0) throw new Error('no worker is up');
  }

  async identityReady(): Promise<void> {
    if (!this.hasIdentity) throw new Error('no certificate');
  }

  hasIdentities(): boolean {
    return this.othersHave;
  }

  update(pod: EnrolledPod): void {
    this.calls.push(`update ${pod.pod.name}`);
  }

  async leave(pod: EnrolledPod, reason: LeaveReason): Promise<void> {
    this.calls.push(`leave ${pod.pod.name} ${reason}`);
  }
}

/** Answers nothing either. */
class FakeDns implements PodDnsServer {
  readonly calls: string[] = [];
  readonly #served = new Set<string>();

  serves(podUid: string): boolean {
    return this.#served.has(podUid);
  }

  async serve({ uid, name }: LocalPod, _netnsFd: number, port: number): Promise<void> {
    this.calls.push(`serve ${name} ${port}`);
    this.#served.add(uid);
  }

  update({ name }: LocalPod): void {
    this.calls.push(`update ${name}`);
  }

  async leave(podUid: string): Promise<void> {
    if (this.#served.delete(podUid)) this.calls.push(`leave ${podUid}`);
  }

  yield(): void {
    this.calls.push('yield');
  }
}

export function podIn(netns: LabNetns, change: Partial<LocalPod> = {}): LocalPod {
  return {
    uid: 'u1',
    name: 'orders',
    namespace: 'shop',
    serviceAccount: 'orders',
    labels: AMBIENT,
    namespaceLabels: {},
    ips: [netns.ipv4],
    netnsPath: netns.path,
    hostNetwork: false,
    starting: false,
    sidecar: undefined,
    bypassInbound: false,
    dnsCapture: undefined,
    probePorts: undefined,
    ...change,
  };
}

/** An agent with fakes about it, on the real kernel; it knows the mesh. */
export function setUp(netns: LabNetns, more: Partial<NodeAgentOptions> = {}) {
  const source = new FakeSource();
  const workers = new FakeWorkers();
  const dns = new FakeDns();
  const clock = new FakeClock();
  const lines: string[] = [];
  const gate = new MeshGate(clock, 0);
  gate.open();
  const agent = new NodeAgent({
    source,
    workers,
    dns,
    capture: {
      ports: CAPTURE_PORTS,
      probeSources: [],
      captureDns: false,
      sysctlDirectory: '/proc/sys/net',
    },
    rules: { excludedNamespaces: new Set() },
    nft: createNft(systemClock),
    clock,
    logger: loggerInto(lines, { now: () => clock.now() }),
    random: () => 0.5,
    mesh: gate,
    ...more,
  });
  const rules = (): boolean => netns.exec('nft', ['list', 'ruleset']).includes('redirect to :15001');
  return { source, workers, dns, clock, lines, agent, rules };
}

/** Lets steps that are waiting for nothing but the kernel go on until `condition`; the test's time limit is the deadline. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve));
}
