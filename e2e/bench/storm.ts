import { fileURLToPath } from 'node:url';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import type { Daemon } from './command.ts';
import { type Contender, largestPeakMb, type SampleSet, withCpu } from './contender.ts';
import { envoyPair } from './envoy-pair.ts';
import type { Metric } from './result.ts';
import type { Topology } from './topology.ts';
import type { OurOptions, Suite } from './suite.ts';
import { ztunnelPair } from './ztunnel-pair.ts';

const CLIENT = fileURLToPath(new URL('storm-client.ts', import.meta.url));
const HBONE_PORT = 15008;
const CONCURRENCY = 64;
/** The code of a handshake is compiled then: some thousands of them. */
const WARM_UP_SECONDS = 3;

const STORM_METRICS: readonly Metric[] = [
  { name: 'handshakes', unit: '1/s', goal: { kind: 'ratio_at_least', value: 1 } },
  { name: 'CPU per 1000 handshakes, both processes', unit: 's', goal: { kind: 'none' } },
  { name: 'peak memory, larger process', unit: 'MB', goal: { kind: 'none' } },
];

/** New HBONE connections, each with a full handshake and verified both ways, to the server's proxy. */
async function stormContenders(
  topology: Topology,
  directory: string,
  envoy: string,
  ours: OurOptions,
): Promise<readonly [Contender, Contender]> {
  return [
    await ztunnelPair(topology, directory, ours),
    await envoyPair(topology, directory, envoy, ours.workers),
  ];
}

async function measureStorm(
  { client, server }: Topology,
  daemons: readonly Daemon[],
  seconds: number,
  into: SampleSet,
): Promise<void> {
  const storm = async (lasting: number): Promise<number> => {
    const numbers = [HBONE_PORT, lasting, CONCURRENCY].map(String);
    const args = ['--disable-warning=ExperimentalWarning', CLIENT, server.ip, ...numbers];
    return handshakesOf(await client.run(process.execPath, args, (lasting + 30) * 1000));
  };
  await storm(WARM_UP_SECONDS);
  const [handshakes, cpu] = await withCpu(daemons, () => storm(seconds));
  into.add('handshakes', handshakes / seconds);
  into.add('CPU per 1000 handshakes, both processes', (cpu / handshakes) * 1000);
  into.add('peak memory, larger process', largestPeakMb(daemons));
}

/** Throws when there was none, or any failed: a proxy that refuses has no rate worth comparing. */
function handshakesOf(output: string): number {
  const result = parseJson(output);
  const [handshakes, failures] = isJsonObject(result) ? [result['handshakes'], result['failures']] : [];
  if (typeof handshakes !== 'number' || handshakes === 0 || failures !== 0)
    throw new Error(`storm: not every handshake succeeded: ${output.trim()}`);
  return handshakes;
}

export const stormSuite: Suite = {
  tools: ['ip', 'nft', 'nginx', 'iperf3', 'python3'],
  workers: 1,
  metrics: () => STORM_METRICS,
  contenders: stormContenders,
  measure: (topology, _directory, { daemons }, seconds, into) =>
    measureStorm(topology, daemons, seconds, into),
};
