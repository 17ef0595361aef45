/** A pod of this node, as told by whoever starts pods here. The source identity of its traffic comes from this alone. */
export interface LocalPod {
  /** Kubernetes pod UID (or any unique name of this run of the pod). */
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly namespaceLabels: Readonly<Record<string, string>>;
  /** Canonical text. */
  readonly ips: readonly string[];
  /** Path of the pod's network namespace; undefined until it has one. */
  readonly netnsPath: string | undefined;
  readonly hostNetwork: boolean;
  /** Its containers have not run yet: nothing of it works without the mesh, or can be interrupted by joining it. */
  readonly starting: boolean;
  /** The container that is a mesh's sidecar proxy; undefined: none. */
  readonly sidecar: string | undefined;
  /** Plaintext from outside the mesh reaches the application without the proxy. */
  readonly bypassInbound: boolean;
  /** Whether its DNS goes to the proxy; undefined: as the node's other pods'. */
  readonly dnsCapture: boolean | undefined;
  /** TCP ports that the kubelet's probes dial; undefined: not known, so any. */
  readonly probePorts: readonly number[] | undefined;
}

export type PodStatus =
  /** Traffic of the pod goes through this ztunnel: sockets listen and the rules were seen in the kernel. */
  | { readonly state: 'enrolled'; readonly message: string }
  /** The pod is not to be captured; `message` says by which rule. */
  | { readonly state: 'not_captured'; readonly message: string }
  /** Capture was asked for and could not be set up; it is tried again with backoff. */
  | { readonly state: 'failed'; readonly message: string };

/**
 * Which pods run on this node: the playground's directory, a CNI plugin's calls, or a watch on the API server.
 * Level-triggered: each report is the whole set.
 */
export interface PodSource {
  /** Calls `onPods` with the whole set once it is known, then after every change. Rejects when the source cannot be read at all. */
  start(onPods: (pods: ReadonlyMap<string, LocalPod>) => void): Promise<void>;
  /** Tells the starter of pods how capture stands. Best effort: a failure is logged, the next report repeats it. */
  report(uid: string, status: PodStatus): Promise<void>;
  stop(): Promise<void>;
}
