import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { deploy } from '../../src/waypoint/testing/deploy.ts';
import { WaypointLab } from '../../src/waypoint/testing/waypoint-lab.ts';
import { run } from './program.ts';

/**
 * Bodies longer than 2^32 bytes, both ways and by both versions of HTTP, through a waypoint between HBONE peers: nothing
 * counts them in 32 bits, and nobody keeps them.
 */
const BYTES = 2 ** 32 + 1_000_003;
/** Client, both ends' ztunnels, waypoint and application are one process: of a body that somebody kept it would have gigabytes. */
const MAX_GROWTH_BYTES = 512 * 1024 * 1024;

const skip = process.env['BIG_BODIES'] === '1' ? false : 'BIG_BODIES=1 sends 16 GiB, which takes minutes';

test('bodies of more than 4 GiB', { skip, timeout: 900_000 }, async t => {
  const lab = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => lab.close());
  const app = createServer((req, res) => {
    if (req.method === 'GET') {
      res.writeHead(200, { 'content-length': BYTES });
      const slice = Buffer.alloc(256 * 1024, 'l');
      let left = BYTES;
      const write = (): void => {
        while (left > 0) {
          const part = left < slice.length ? slice.subarray(0, left) : slice;
          left -= part.length;
          if (!res.write(part)) return void res.once('drain', write);
        }
        res.end();
      };
      return write();
    }
    let bytes = 0;
    req.on('data', (chunk: Buffer) => (bytes += chunk.length));
    req.on('end', () => res.end(`${bytes} of ${req.headers['content-length'] ?? 'chunks'}`));
  });
  const { port } = await deploy(lab, [app], undefined, 'http11');
  const url = `http://127.0.0.1:${port}/`;
  const directory = mkdtempSync(join(tmpdir(), 'big-bodies-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  // A hole: it takes no room on the disk.
  const file = join(directory, 'hole');
  writeFileSync(file, '');
  truncateSync(file, BYTES);
  const before = process.memoryUsage().rss;
  for (const version of ['--http1.1', '--http2-prior-knowledge']) {
    const down = await run('curl', ['-sS', version, '-o', '/dev/null', '-w', '%{size_download}', url]);
    t.same(down, { code: 0, out: String(BYTES) }, `${version}, down`);
    const up = await run('curl', ['-sS', version, '-T', file, url]);
    t.same(up, { code: 0, out: `${BYTES} of ${BYTES}` }, `${version}, up`);
    const growth = process.memoryUsage().rss - before;
    t.ok(growth < MAX_GROWTH_BYTES, `${version}: ${Math.round(growth / 2 ** 20)} MiB more than before`);
  }
  const lines = await lab.access(4);
  for (const line of lines) t.match(line, new RegExp(`bytes_(?:recv|sent)=${BYTES}\\b`));
});
