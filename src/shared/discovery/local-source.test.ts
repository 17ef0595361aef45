import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { systemClock } from '../lifecycle/clock.ts';
import { createLogger, LogLevels } from '../observability/logger.ts';
import { MeshStore } from '../workload/mesh-store.ts';
import { parseLocalConfig } from './local-config.ts';
import { LocalSource } from './local-source.ts';

const FILE = `
workloads:
- name: local
  namespace: default
  workloadIps: ["127.0.0.1"]
  protocol: HBONE
  services:
    "default/example.com": { 80: 8080 }
services:
- name: local
  namespace: default
  hostname: example.com
  vips: ["/127.10.0.1"]
  ports: { 80: 8080 }
policies:
- name: deny
  namespace: default
  scope: WorkloadSelector
  action: Deny
  rules: [[[{ principals: [{ Exact: td/ns/a/sa/b }], destinationPorts: [80], sourceIps: [10.0.0.0/8] }]]]
`;

function setUp(
  t: Test,
  content: string,
): { path: string; store: MeshStore; source: LocalSource; changed: () => Promise<void> } {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-local-'));
  const path = join(directory, 'config.yaml');
  writeFileSync(path, content);
  const store = new MeshStore();
  let wake: () => void = () => undefined;
  const logger = createLogger({
    scope: 't',
    levels: new LogLevels('error'),
    format: 'text',
    writer: { writeLine: () => wake() },
    now: () => 0,
  });
  const onDelta = (delta: Parameters<MeshStore['apply']>[0]): void => {
    store.apply(delta);
    wake();
  };
  const source = new LocalSource({
    path,
    listener: { onDelta, onSynced: () => undefined },
    clock: systemClock,
    logger,
  });
  // Watches and timers of the source do not keep a process alive; the test has to.
  const alive = setInterval(() => undefined, 60_000);
  t.teardown(async () => {
    clearInterval(alive);
    await source.stop();
    rmSync(directory, { recursive: true });
  });
  return { path, store, source, changed: () => new Promise(resolve => (wake = resolve)) };
}

test('a file gives the same state as a controller would', t => {
  const { source, store } = setUp(t, FILE);
  source.start();
  t.equal(store.workloadByAddress('', '127.0.0.1')?.tunnelProtocol, 'hbone');
  t.equal(store.serviceByAddress('', '127.10.0.1')?.hostname, 'example.com');
  t.equal(store.endpoints('default/example.com').length, 1);
  t.equal(store.policy('default/deny')?.rules[0]?.clauses[0]?.matches[0]?.destinationPorts[0], 80);
  t.ok(source.status().types.every(type => type.synced));
  t.end();
});

test('a replaced file is read again, and a broken one leaves the last state in force', async t => {
  const { changed, path, source, store } = setUp(t, FILE);
  source.start();
  let next = changed();
  writeFileSync(`${path}.new`, FILE.replace('127.0.0.1', '127.0.0.2'));
  renameSync(`${path}.new`, path);
  await next;
  t.equal(store.workloadByAddress('', '127.0.0.1'), undefined);
  t.ok(store.workloadByAddress('', '127.0.0.2'));
  next = changed();
  writeFileSync(`${path}.new`, 'workloads: [');
  renameSync(`${path}.new`, path);
  await next;
  t.ok(store.workloadByAddress('', '127.0.0.2'));
  t.ok(source.status().lastError);
});

const BAD: readonly (readonly [string, object, RegExp])[] = [
  [
    'a misspelt field',
    { workloads: [{ name: 'a', namespace: 'b', workloadIp: [] }] },
    /workloadIp: is no field here/,
  ],
  [
    'an address that is none',
    { workloads: [{ name: 'a', namespace: 'b', workloadIps: ['10.0.0'] }] },
    /"10.0.0" is no IP/,
  ],
  [
    'a port out of range',
    { services: [{ name: 'a', namespace: 'b', hostname: 'c', ports: { 80: 70000 } }] },
    /port 70000/,
  ],
  [
    'a protocol that is none',
    { workloads: [{ name: 'a', namespace: 'b', protocol: 'QUIC' }] },
    /use TCP, HBONE/,
  ],
  ['a policy without scope', { policies: [{ name: 'a', action: 'Allow' }] }, /scope/],
  [
    'a match of no kind',
    {
      policies: [
        { name: 'a', scope: 'Global', action: 'Deny', rules: [[[{ principals: [{ Regex: 'x' }] }]]] },
      ],
    },
    /Exact/,
  ],
  ['a name that is missing', { services: [{ name: 'a', namespace: 'b' }] }, /hostname: is required/],
];

test('a bad item is rejected alone, with its field', t => {
  for (const [name, file, reason] of BAD) {
    const [item] = parseLocalConfig(file);
    t.equal(item?.ok, false, name);
    t.match(item?.ok === false ? item.reason : '', reason, name);
  }
  t.throws(() => parseLocalConfig([]), /is not an object/);
  t.end();
});
