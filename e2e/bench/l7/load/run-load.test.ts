import { test, type Test } from 'tap';
import { ChannelError } from '#shared/engine/channel.ts';
import type { Engine } from '#shared/engine/engine.ts';
import { HbonePool, type HboneTunnel } from '#shared/hbone/session-pool.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { createLogger, LogLevels } from '#shared/observability/logger.ts';
import { createTestEngine } from '#shared/testing/engine.ts';
import { lineWriter } from '#shared/testing/line-writer.ts';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { delta, endpointOf, service, waypointOf, workload } from '#shared/testing/topology.ts';
import { workloadIdentity } from '#shared/workload/workload.ts';
import { testSettings } from '../../../../src/waypoint/testing/settings.ts';
import { TrafficThread } from '../../../../src/waypoint/workers/traffic-thread.ts';
import { randomInt } from 'node:crypto';
import { BENCH_IDENTITY } from '../../spiffe-ids.ts';
import { HBONE_PORT, SERVICE_PORT, TARGET_PORTS } from '../address-plan.ts';
import { serveEndpoint } from '../endpoint.ts';
import { PROTOCOLS, type Protocol } from '../plan.ts';
import { runLoad } from './run-load.ts';

const clock = systemClock;
const STOP = new ChannelError('aborted', 'the test is over');
const APP_PROTOCOLS = { h1: 'http11', h2: 'http2', grpc: 'grpc' } as const;
const VIPS: Readonly<Record<Protocol, string>> = { h1: '10.96.0.1', h2: '10.96.0.2', grpc: '10.96.0.3' };

/** A waypoint between load and endpoint, all three on this thread. @returns how the load opens a connection to a service */
async function waypointWithEndpoint(t: Test): Promise<(vip: string) => Promise<HboneTunnel>> {
  const subnet = `127.${randomInt(64, 250)}.${randomInt(1, 250)}`;
  const ca = await createTestCa();
  const engine: Engine = createTestEngine({ clock });
  const thread = newWaypoint(`${subnet}.1`, engine);
  thread.setCertificate(await ca.issue(testSettings.identity));
  const { hbone } = await thread.listen();
  const endpoint = workload('endpoint', { addresses: [`${subnet}.2`] });
  const services = PROTOCOLS.map(protocol => ({
    ...service(protocol, { vip: VIPS[protocol], waypoint: waypointOf(service('waypoint')) }),
    ports: [
      {
        servicePort: SERVICE_PORT,
        targetPort: TARGET_PORTS[protocol],
        appProtocol: APP_PROTOCOLS[protocol],
      },
    ],
  }));
  thread.apply(
    delta({
      services,
      workloads: [{ ...endpoint, services: new Map(services.flatMap(each => [...endpointOf(each)])) }],
    }),
  );
  const endpointContext = engine.createTlsContext(await ca.issue(workloadIdentity(endpoint)));
  const listener = await serveEndpoint(engine, clock, endpointContext, {
    ip: `${subnet}.2`,
    port: HBONE_PORT,
  });
  const clientContext = engine.createTlsContext(await ca.issue(BENCH_IDENTITY));
  const pool = new HbonePool({
    engine,
    clock,
    random: Math.random,
    dial: (remote, signal) => engine.connect({ remote, timeoutMs: 5_000 }, signal),
    tlsContext: () => clientContext,
  });
  t.teardown(async () => {
    pool.close(STOP);
    thread.close(STOP);
    await thread.drain(0);
    await listener.close();
  });
  const target = {
    sourceIdentity: BENCH_IDENTITY,
    destinationIdentities: [testSettings.identity],
    remote: { ip: `${subnet}.1`, port: hbone?.port ?? 0 },
    workloadUid: 'waypoint',
  };
  return vip => pool.connect({ ...target, request: { host: vip, port: SERVICE_PORT } });
}

function newWaypoint(ip: string, engine: Engine): TrafficThread {
  const logWriter = lineWriter(() => undefined);
  return new TrafficThread({
    engine,
    clock,
    random: Math.random,
    settings: { ...testSettings, listen: { ip, port: 0 } },
    logger: createLogger({
      scope: 'waypoint',
      levels: new LogLevels('info'),
      format: 'text',
      writer: logWriter,
      now: () => clock.now(),
    }),
    logFormat: 'text',
    logWriter,
    thread: 0,
    emit: () => undefined,
  });
}

test('requests of every protocol go through a waypoint to the endpoint and back', async t => {
  const open = await waypointWithEndpoint(t);
  for (const protocol of PROTOCOLS) {
    for (const body of ['1 KB', '1 MB'] as const) {
      const streams = protocol === 'h1' ? 1 : 3;
      const result = await runLoad(
        { protocol, rules: 1, body, connections: 4, streams, seconds: 0.2 },
        { open: () => open(VIPS[protocol]), clock, defer: queueMicrotask, authority: 'bench' },
      );
      t.ok(result.requests >= 4 * streams, `${protocol}, ${body}: ${result.requests} requests`);
      t.ok(result.requestsPerSecond > 0);
      t.ok(result.p50Ms > 0 && result.p50Ms <= result.p99Ms);
    }
  }
});

test('a run against a service that is not there fails, and so does one whose connections are not opened', async t => {
  const open = await waypointWithEndpoint(t);
  const spec = { protocol: 'h1', rules: 1, body: '1 KB', connections: 2, streams: 1, seconds: 0.1 } as const;
  const environment = { clock, defer: queueMicrotask, authority: 'bench' };
  await t.rejects(runLoad(spec, { ...environment, open: () => open('10.96.0.99') }), /./);
  let opened = 0;
  const openOnce = (): Promise<HboneTunnel> =>
    ++opened === 1 ? open(VIPS.h1) : Promise.reject(new Error('no more connections'));
  await t.rejects(runLoad(spec, { ...environment, open: openOnce }), /no more connections/);
});
