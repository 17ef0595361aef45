import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from './command.ts';
import { type Contender, whenReady } from './contender.ts';
import { envoyInbound, envoyOutbound } from './envoy-config.ts';
import { writeEnvoyTls } from './envoy-tls.ts';
import { BENCH_IDENTITY } from './spiffe-ids.ts';
import { IDLE_PORT, IPERF_PORT, NGINX_PORT, type Topology, waitForPort } from './topology.ts';

const HBONE_PORT = 15008;
/** Of Envoy's plain ports, which connections are redirected to as a pod's capture rules would. */
const CAPTURE_OFFSET = 10_000;

/** Two Envoys that speak HBONE with each other, and one redirect rule in the client's namespace. */
export async function envoyPair(
  topology: Topology,
  directory: string,
  envoy: string,
  workers: number,
): Promise<Contender> {
  const { client, server } = topology;
  const hbone = { ip: server.ip, port: HBONE_PORT };
  const ports = [NGINX_PORT, IPERF_PORT, IDLE_PORT];
  const write = (name: string, content: string): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  const tls = await writeEnvoyTls(directory, BENCH_IDENTITY, BENCH_IDENTITY);
  const targets = ports.map(port => ({ ip: server.ip, port }));
  const tunnelled = targets.map(target => ({
    listen: { ip: '0.0.0.0', port: target.port + CAPTURE_OFFSET },
    target,
  }));
  const outbound = write('envoy-out.json', JSON.stringify(envoyOutbound(tunnelled, hbone, tls)));
  const inbound = write('envoy-in.json', JSON.stringify(envoyInbound(hbone, targets, tls)));
  const rules = write('envoy.nft', redirectRules(server.ip, ports));
  // Without hot restart it leaves no shared memory behind when it is ended.
  const quiet = ['--log-level', 'error', '--disable-hot-restart'];
  const args = (path: string): string[] => ['--concurrency', String(workers), ...quiet, '-c', path];
  return {
    name: 'peer',
    async start() {
      const daemons: readonly Daemon[] = [
        client.start(envoy, args(outbound), undefined, 'stderr'),
        server.start(envoy, args(inbound), undefined, 'stderr'),
      ];
      return whenReady(daemons, async () => {
        await waitForPort(client, hbone.ip, hbone.port, daemons);
        for (const port of ports) await waitForPort(client, client.ip, port + CAPTURE_OFFSET, daemons);
        await client.run('nft', ['-f', rules]);
      });
    },
    async stop() {
      await client.run('nft', ['flush', 'ruleset']);
    },
  };
}

function redirectRules(serverIp: string, ports: readonly number[]): string {
  const rules = ports.map(
    port => `ip daddr ${serverIp} tcp dport ${port} redirect to :${port + CAPTURE_OFFSET}`,
  );
  return `table ip bench {\n chain output {\n type nat hook output priority -100;\n ${rules.join('\n ')}\n }\n}\n`;
}
