import { test } from 'tap';
import { connectionBounds, type ProcessLimits } from './connection-bounds.ts';

const [kib, gib] = [1024, 1024 ** 3];
const plenty: ProcessLimits = { openFiles: 1_048_576, memoryBytes: 64 * gib, heapBytes: 16 * gib };

/** What the process has, what is configured, and what comes of it. */
const ROWS: readonly (readonly [
  string,
  Partial<ProcessLimits>,
  number,
  readonly [room: number, roomIs: string, perPod: number],
])[] = [
  [
    'descriptors: one a connection, an eighth is kept for everything else; a pod gets half of that',
    {},
    0,
    [917_504, 'RLIMIT_NOFILE 1048576', 458_752],
  ],
  [
    'more descriptors than are kept account of are not counted',
    { openFiles: 1_073_741_816, memoryBytes: 1024 * gib },
    0,
    [917_504, 'RLIMIT_NOFILE 1048576', 458_752],
  ],
  ['memory: 32 KiB a connection', { memoryBytes: gib }, 0, [32_768, 'memory of 1024 MiB', 16_384]],
  [
    'the heaps of the threads: 8 KiB a connection',
    { heapBytes: gib / 2 },
    0,
    [65_536, 'heaps of 512 MiB', 32_768],
  ],
  ['a bound that is set holds', {}, 100, [917_504, 'RLIMIT_NOFILE 1048576', 100]],
  ['also a large one', {}, 9_000_000, [917_504, 'RLIMIT_NOFILE 1048576', 9_000_000]],
  ['nothing at all is room for one', { openFiles: 0 }, 0, [1, 'RLIMIT_NOFILE 0', 1]],
];

for (const [sentence, limits, configured, [room, roomIs, perPod]] of ROWS) {
  test(sentence, t => {
    t.same(connectionBounds({ ...plenty, ...limits }, configured), {
      room,
      roomIs,
      perPod,
      sharesFairly: configured === 0,
    });
    t.end();
  });
}

test('two connections of a KiB more or less do not matter', t => {
  const { room } = connectionBounds({ ...plenty, memoryBytes: 64 * kib + 1 }, 0);
  t.equal(room, 2);
  t.end();
});
