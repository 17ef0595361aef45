import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Daemon, type DaemonOutput, must, run } from './command.ts';

/** Two network namespaces joined by a veth pair: the client's node and the server's. */
export interface Topology {
  readonly client: Namespace;
  readonly server: Namespace;
  close(): Promise<void>;
}

export interface Namespace {
  readonly ip: string;
  readonly path: string;
  run(command: string, args: readonly string[], timeoutMs?: number): Promise<string>;
  start(command: string, args: readonly string[], env?: NodeJS.ProcessEnv, keeps?: DaemonOutput): Daemon;
}

export const NGINX_PORT = 8080;
export const IPERF_PORT = 5201;
/** Of connections in which nothing moves; what listens there is started by who needs it. */
export const IDLE_PORT = 8090;

export interface TopologyOptions {
  /** Of every connection, whoever makes it: net.ipv4.tcp_congestion_control. Undefined: the machine's. */
  readonly congestionControl?: string | undefined;
}

/** With nginx (a reply of three bytes) and iperf3 listening on the server's side. */
export async function createTopology(directory: string, options: TopologyOptions = {}): Promise<Topology> {
  const suffix = process.pid.toString(36);
  const client = namespace(`ambench-a-${suffix}`, '10.99.0.1');
  const server = namespace(`ambench-b-${suffix}`, '10.99.0.2');
  const daemons: Daemon[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(daemons.map(d => d.stop()));
    for (const { name } of [client, server]) await run('ip', ['netns', 'del', name]);
  };
  try {
    await link(client, server);
    await useCongestionControl([client, server], options.congestionControl);
    daemons.push(server.start('nginx', ['-c', writeNginxConfig(directory, server.ip)]));
    daemons.push(server.start('iperf3', ['-s', '-B', server.ip, '-p', String(IPERF_PORT)]));
    await waitForPort(client, server.ip, NGINX_PORT, daemons);
    return { client, server, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Polls, as another process offers nothing else; fails early when one of `daemons` has ended. */
export async function waitForPort(
  from: Namespace,
  ip: string,
  port: number,
  daemons: readonly Daemon[],
): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const dead = daemons.find(d => !d.isRunning);
    if (dead !== undefined) throw new Error(`a process ended early: ${dead.said.trim()}`);
    try {
      await from.run('bash', ['-c', `exec 3<>/dev/tcp/${ip}/${port}`], 2_000);
      return;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
  throw new Error(`nothing listens on ${ip}:${port}: ${daemons.map(d => d.said).join('\n')}`);
}

interface NamedNamespace extends Namespace {
  readonly name: string;
}

function namespace(name: string, ip: string): NamedNamespace {
  const inside = (command: string, args: readonly string[]): string[] => [
    'netns',
    'exec',
    name,
    command,
    ...args,
  ];
  return {
    name,
    ip,
    path: `/run/netns/${name}`,
    run: (command, args, timeoutMs) => must('ip', inside(command, args), timeoutMs),
    start: (command, args, env, keeps) => new Daemon('ip', inside(command, args), env, keeps),
  };
}

async function link(client: NamedNamespace, server: NamedNamespace): Promise<void> {
  for (const { name } of [client, server]) await must('ip', ['netns', 'add', name]);
  const peer = ['type', 'veth', 'peer', 'name', 'veth0', 'netns', server.name];
  await must('ip', ['link', 'add', 'veth0', 'netns', client.name, ...peer]);
  for (const { name, ip } of [client, server]) {
    await must('ip', ['-n', name, 'addr', 'add', `${ip}/24`, 'dev', 'veth0']);
    await must('ip', ['-n', name, 'link', 'set', 'veth0', 'up']);
    await must('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    // New connections per second would otherwise run out of ports in TIME_WAIT.
    await must('ip', [
      'netns',
      'exec',
      name,
      'sysctl',
      '-qw',
      'net.ipv4.ip_local_port_range=1024 65535',
      'net.ipv4.tcp_tw_reuse=1',
      // Nor may a client take the port that the next contender listens on.
      'net.ipv4.ip_local_reserved_ports=5201,8080,8081,8090,15000-15300,18080-18130',
    ]);
  }
}

async function useCongestionControl(
  nodes: readonly NamedNamespace[],
  name: string | undefined,
): Promise<void> {
  if (name === undefined) return;
  for (const node of nodes) await node.run('sysctl', ['-qw', `net.ipv4.tcp_congestion_control=${name}`]);
}

function writeNginxConfig(directory: string, ip: string): string {
  const path = join(directory, 'nginx.conf');
  writeFileSync(
    path,
    `daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid ${directory}/nginx.pid; error_log ${directory}/nginx.log crit;
     events { worker_connections 16384; }
     http { access_log off; keepalive_requests 1000000000; client_body_temp_path ${directory}; proxy_temp_path ${directory};
       fastcgi_temp_path ${directory}; uwsgi_temp_path ${directory}; scgi_temp_path ${directory};
       server { listen ${ip}:${NGINX_PORT} backlog=8192; location / { return 200 "ok\\n"; } } }`,
  );
  return path;
}
