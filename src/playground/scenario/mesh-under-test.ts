/** What the scenario needs of a running mesh: the playground provides it. Pods are named `<namespace>/<name>`. */
export interface MeshUnderTest {
  /** Why this mesh cannot show what needs it; undefined when it can. */
  lacks(need: Need): string | undefined;
  /** Name of the proxy that carries the connections of a pod of the mesh. */
  ztunnelOf(pod: string): string;
  podIp(pod: string): string;
  /** Runs a program inside the pod to its end. Rejects after `timeoutMs` with what it had printed. */
  exec(pod: string, argv: readonly string[], timeoutMs: number): Promise<ExecResult>;
  /** Starts a program inside the pod. */
  spawn(pod: string, argv: readonly string[]): PodProcess;
  /** Adds or replaces the objects of a YAML file of the repository. */
  apply(file: string): Promise<void>;
  /** Removes the objects of a YAML file. */
  remove(file: string): Promise<void>;
  /** Names of the proxies: `ztunnel-node-a`, `waypoint-shop`, `controller`. */
  readonly proxies: readonly string[];
  /** The whole log of a proxy so far. */
  log(proxy: string): string;
  fetchAdmin(proxy: string, path: string, method?: 'GET' | 'POST'): Promise<string>;
  /** Ends a proxy (SIGKILL unless told), and waits until it is gone. */
  kill(proxy: string, signal?: NodeJS.Signals): Promise<void>;
  /** Starts a proxy that was killed, and waits until it is ready. */
  start(proxy: string): Promise<void>;
  /** Copies every packet between the nodes until `stop`. */
  capture(): PacketCapture;
  /** Runs `ambientctl` against this mesh. */
  ambientctl(argv: readonly string[]): Promise<ExecResult>;
}

/** `capture`: connections are in the mesh whatever programs do. `packets`: they can be seen between the nodes. */
export type Need = 'capture' | 'packets';

export interface ExecResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PodProcess {
  /** Resolves with the first line, past or future, that satisfies the test; rejects at the deadline or when it ends. */
  line(test: (line: string) => boolean, timeoutMs: number): Promise<string>;
  stop(): Promise<void>;
}

export interface PacketCapture {
  stop(): Promise<CapturedTraffic>;
}

export interface CapturedTraffic {
  /** TCP segments with payload, by the lower one of their two ports where that is below 32768, else the destination's. */
  readonly tcpPayloadByPort: ReadonlyMap<number, number>;
  /** All payloads, one after the other, for searching. */
  readonly payload: Buffer;
}
