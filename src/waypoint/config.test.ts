import { test } from 'tap';
import { ConfigError, EnvReader } from '#shared/config/env-reader.ts';
import { declareConfig, readConfig } from './config.ts';

test('every wrong variable is named at once, with its value and what is accepted', t => {
  const error = t.throws(
    () =>
      readConfig({
        XDS_ADDRESS: 'no port:x',
        INSTANCE_IP: 'here',
        TRUST_DOMAIN: 'Not A Domain',
        HBONE_ADDR: '15008',
        ACCESS_LOG: 'some',
        ADMIN_ADDR: '0.0.0.0:15000',
        WORKER_THREADS: '0',
        CONNECT_TIMEOUT: 'soon',
        LISTEN_PLAINTEXT: '127.0.0.1:80',
        OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317',
        OTEL_TRACES_SAMPLER_ARG: '5',
      }),
    ConfigError,
  );
  const problems = error instanceof ConfigError ? error.problems.join('\n') : '';
  for (const name of [
    'XDS_ADDRESS',
    'INSTANCE_IP',
    'TRUST_DOMAIN',
    'HBONE_ADDR',
    'ACCESS_LOG',
    'ADMIN_ADDR',
    'WORKER_THREADS',
    'CONNECT_TIMEOUT',
    'LISTEN_PLAINTEXT',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_TRACES_SAMPLER_ARG',
  ]) {
    t.match(problems, new RegExp(`^${name}: `, 'm'));
  }
  t.end();
});

test('a waypoint of a Gateway', t => {
  const config = readConfig({
    XDS_ADDRESS: 'https://controller:15012',
    POD_NAMESPACE: 'shop',
    GATEWAY_NAME: 'gate',
    SERVICE_ACCOUNT: 'gate-sa',
    INSTANCE_IP: '10.1.0.5',
    TERMINATION_GRACE_PERIOD_SECONDS: '7',
  });
  t.equal(config.identity, 'spiffe://cluster.local/ns/shop/sa/gate-sa');
  t.match(config.traffic, {
    hostname: 'gate.shop.svc.cluster.local',
    ips: ['10.1.0.5'],
    listen: { ip: '0.0.0.0', port: 15008 },
    plaintext: undefined,
  });
  t.equal(config.controller?.caAddress, 'controller:15012');
  t.equal(config.drainMs, 7_000);
  t.end();
});

test('the plaintext mode needs no controller and opens nothing else', t => {
  const config = readConfig({ LISTEN_PLAINTEXT: '127.0.0.1:8081', PLAINTEXT_UPSTREAM: '127.0.0.1:80' });
  t.equal(config.traffic.listen, undefined);
  t.same(
    [config.adminAddress, config.statsAddress, config.readinessAddress],
    [undefined, undefined, undefined],
  );
  t.match(config.traffic.plaintext, { ip: '127.0.0.1', port: 8081 });
  t.end();
});

test('every variable has a description', t => {
  const env = new EnvReader({});
  declareConfig(env);
  for (const { name, description } of env.declared) t.ok(description.length > 3, name);
  t.end();
});
