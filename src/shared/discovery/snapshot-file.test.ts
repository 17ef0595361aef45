import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { loggerInto } from '../testing/logger-into.ts';
import { FakeClock } from '../testing/fake-clock.ts';
import { policy, service, workload } from '../testing/topology.ts';
import { testStateFile } from '../testing/state-file.ts';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from './mesh-resource.ts';
import { ResourceCache } from './resource-cache.ts';
import { formatSnapshot, SnapshotFile } from './snapshot-file.ts';

function setUp(t: Test): {
  path: string;
  file: SnapshotFile;
  clock: FakeClock;
  lines: string[];
  cache: ResourceCache;
} {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-snapshot-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'nested', 'mesh.snapshot');
  const clock = new FakeClock();
  const lines: string[] = [];
  const logger = loggerInto(lines);
  const cache = new ResourceCache();
  const w = workload('a', { addresses: ['10.0.0.1'] });
  cache.put({
    type: ADDRESS_TYPE,
    name: w.uid,
    version: '7',
    aliases: ['/10.0.0.1'],
    resource: { kind: 'workload', workload: w },
  });
  const s = service('web');
  cache.put({
    type: ADDRESS_TYPE,
    name: `default/${s.hostname}`,
    version: '8',
    aliases: [],
    resource: { kind: 'service', service: s },
  });
  const p = policy('deny', 'deny', [{}]);
  cache.put({
    type: AUTHORIZATION_TYPE,
    name: 'default/deny',
    version: '9',
    aliases: [],
    resource: { kind: 'policy', policy: p },
  });
  const stateFile = testStateFile(path, clock, logger);
  return { path, file: new SnapshotFile({ file: stateFile, clock, logger }), clock, lines, cache };
}

test('what was accepted comes back with its versions', async t => {
  const { cache, clock, file } = setUp(t);
  file.schedule(cache);
  await file.close();
  t.equal(clock.pendingTimers, 0);
  const held = file.load();
  t.same(
    held.map(h => [h.name, h.version]),
    [
      ['Kubernetes//Pod/default/a', '7'],
      ['default/web.default.svc.cluster.local', '8'],
      ['default/deny', '9'],
    ],
  );
  t.same(held[0], [...cache][0]);
});

test('changes of a second are written together', async t => {
  const { cache, clock, file, path } = setUp(t);
  file.schedule(cache);
  file.schedule(cache);
  t.equal(clock.pendingTimers, 1);
  clock.advance(999);
  t.throws(() => readFileSync(path), { code: 'ENOENT' });
  clock.advance(1);
  await file.close();
  t.ok(readFileSync(path).length > 100);
});

const DAMAGE: readonly (readonly [string, (file: Buffer) => Buffer, RegExp])[] = [
  ['an empty file', () => Buffer.alloc(0), /not a configuration snapshot/],
  ['another file', () => Buffer.from('{"hello": "world"}'.repeat(9)), /not a configuration snapshot/],
  ['a flipped bit', file => flip(file, file.length - 3), /checksum does not match/],
  ['a torn write', file => file.subarray(0, file.length - 10), /checksum does not match/],
  ['a format of the future', file => withVersion(file, 9), /format version 9; this build reads 1/],
];

test('a damaged file is ignored, with the reason in the log', async t => {
  const { cache, file, lines, path } = setUp(t);
  file.schedule(cache);
  await file.close();
  const good = readFileSync(path);
  for (const [name, damage, reason] of DAMAGE) {
    writeFileSync(path, damage(Buffer.from(good)));
    t.same(file.load(), [], name);
    t.match(lines.at(-1), reason, name);
  }
});

test('without a file it starts with nothing', t => {
  const { file, lines } = setUp(t);
  t.same(file.load(), []);
  t.match(lines.at(-1), /no configuration snapshot yet/);
  t.end();
});

test('a resource that this build does not accept is left out alone', async t => {
  const { cache, file, path, lines } = setUp(t);
  const w = workload('b', { addresses: ['10.0.0.2'] });
  cache.put({
    type: ADDRESS_TYPE,
    name: 'another name',
    version: '1',
    aliases: [],
    resource: { kind: 'workload', workload: w },
  });
  file.schedule(cache);
  await file.close();
  t.ok(formatSnapshot(cache).equals(readFileSync(path)));
  t.equal(file.load().length, 3);
  t.match(lines.join('\n'), /another name: is named/);
});

function flip(file: Buffer, at: number): Buffer {
  file[at] = (file[at] ?? 0) ^ 1;
  return file;
}

function withVersion(file: Buffer, version: number): Buffer {
  file.writeUInt32BE(version, 16);
  return file;
}
