import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Faults of the machines themselves, where the cluster's programs are processes of this machine: kubectl has no word for
 * them. On any other cluster the tests of these are skipped.
 */
interface Process {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly cgroup: string;
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    // It has ended meanwhile, or is not ours to see.
    return '';
  }
}

function namespaceOf(pid: number | 'self', kind: 'net' | 'pid'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return '';
  }
}

function processes(): Process[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return pids.map(pid => ({
    pid: Number(pid),
    argv: read(pid, 'cmdline').split('\0'),
    cgroup: read(pid, 'cgroup'),
  }));
}

const isProgram = ({ argv }: Process, name: string): boolean => (argv[0] ?? '').split('/').at(-1) === name;

/** Of the cluster that KUBECONFIG names: it shares our network namespace. Undefined: it runs elsewhere. */
export function apiServerPid(): number | undefined {
  const home = namespaceOf('self', 'net');
  return processes().find(p => isProgram(p, 'kube-apiserver') && namespaceOf(p.pid, 'net') === home)?.pid;
}

/** Everything on a node: its agents, its containers. Empty: the node is another machine. */
function nodePids(node: string): number[] {
  const all = processes();
  const kubelet = all.find(p => isProgram(p, 'kubelet') && p.argv.includes(`--hostname-override=${node}`));
  if (kubelet === undefined) return [];
  const home = namespaceOf(kubelet.pid, 'pid');
  const agents = all.filter(
    p => isProgram(p, 'kubelet') || isProgram(p, 'containerd') || isProgram(p, 'containerd-shim-runc-v2'),
  );
  const containers = all.filter(p => p.cgroup.includes(`/kube-${node}/`));
  return [...agents.filter(p => namespaceOf(p.pid, 'pid') === home), ...containers].map(p => p.pid);
}

/** As a power failure would, but for the memory of the kernel: network namespaces and their rules stay. */
export function crashNode(node: string): number {
  const pids = nodePids(node);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It went with another one.
    }
  }
  return pids.length;
}
